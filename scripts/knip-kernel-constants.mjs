// For knip: a constant of the kernel belongs to its table whether or not this part of the stack asks for it yet.

/** @param {import('knip').ReporterOptions} options */
export default function withoutConstants(options) {
  for (const issues of Object.values(options.issues.exports)) {
    for (const name of Object.keys(issues).filter((one) => /^(\w+\.)?[A-Z][A-Z0-9_]*$/.test(one))) {
      delete issues[name];
      options.counters.exports--; // the exit status counts
    }
  }
  return options;
}
