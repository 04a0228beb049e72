// What runs on Linux's side where no common tool does the job: node:net and node:dgram are the kernel's own TCP and UDP.
//   udp-echo PORT          answers every datagram; prints "ready"
//   udp-client HOST PORT SIZE…   sends a datagram of each size, prints the size of each answer that is the same octets
//   tcp-echo PORT          answers every octet; prints "ready"
//   tcp-clients HOST PORT N      opens N connections, prints "open", sends a line on each when one comes in on stdin, prints how
//                          many came back whole, ends
//   tcp-source HOST PORT N opens N connections, sends on each until it ends
//   tcp-sink PORT N SECONDS      prints "ready", then a JSON array of how many octets each of the first N connections brought in its first
//                          SECONDS
//   tcp-rtts               for each line on stdin prints a JSON array: the smoothed round-trip time of each connection here, in ms
//   http PORT              answers every request with 1,000,000 times x; prints "ready"
//   tcp-resetter HOST PORT connects, resets the connection, prints "reset"
//   tcp-witness PORT       prints "ready", and how the first connection ends: a code, or "end"
//   keeper TCPPORT UDPPORT listens on both, accepts without reading, prints "ready", then the count of connections; ends the one whose
//                          number comes in on stdin
import { execFile } from 'node:child_process';
import dgram from 'node:dgram';
import http from 'node:http';
import net from 'node:net';

const [role, ...args] = process.argv.slice(2);

/** @param {string} line */
function say(line) {
  process.stdout.write(`${line}\n`);
}

/** @param {number} port */
function udpEcho(port) {
  const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 1 << 22 });
  socket.on('message', (message, { address, port: from }) => socket.send(message, from, address));
  socket.bind(port, () => say('ready'));
}

/** @param {string} host @param {number} port @param {number[]} sizes */
function udpClient(host, port, sizes) {
  const socket = dgram.createSocket('udp4');
  const messages = sizes.map((size) => Buffer.alloc(size, size & 0xff));
  let next = 0;
  const send = () => (next < messages.length ? socket.send(messages[next] ?? '', port, host) : socket.close());
  socket.on('message', (answer) => {
    say(answer.equals(messages[next] ?? answer) ? String(answer.length) : `other octets in ${answer.length}`);
    next++;
    send();
  });
  socket.bind(0, send);
}

/** @param {number} port */
function tcpEcho(port) {
  net.createServer((socket) => socket.on('error', () => socket.destroy()).pipe(socket)).listen(port, '0.0.0.0', 4096, () => say('ready'));
}

/** @param {string} host @param {number} port @param {number} count */
async function tcpClients(host, port, count) {
  const open = Array.from({ length: count }, () => new Promise((resolve, reject) => {
    const socket = net.connect(port, host, () => resolve(socket)).once('error', reject);
  }));
  const sockets = /** @type {net.Socket[]} */ (await Promise.all(open));
  say('open');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  const answers = sockets.map(async (socket, i) => {
    const line = `line ${i}\n`;
    socket.end(line);
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    return answer === line;
  });
  say(String((await Promise.all(answers)).filter(Boolean).length));
  process.exit(0);
}

/** @param {string} host @param {number} port @param {number} count */
function tcpSource(host, port, count) {
  const chunk = Buffer.alloc(65536);
  for (let i = 0; i < count; i++) {
    const socket = net.connect(port, host);
    const fill = () => {
      while (socket.write(chunk));
    };
    socket.on('connect', fill).on('drain', fill).on('error', () => socket.destroy());
  }
}

/** @param {number} port @param {number} count @param {number} seconds */
function tcpSink(port, count, seconds) {
  /** @type {Promise<number>[]} */
  const octets = [];
  const server = net.createServer((socket) => {
    let got = 0;
    socket.on('data', (chunk) => (got += chunk.length)).on('error', () => socket.destroy());
    octets.push(new Promise((resolve) => setTimeout(() => resolve(got), seconds * 1000)));
    if (octets.length === count) Promise.all(octets).then((counts) => say(JSON.stringify(counts)));
  });
  server.listen(port, '0.0.0.0', 4096, () => say('ready'));
}

/** Asked often by who cannot wait for a fork of his own. */
function tcpRtts() {
  process.stdin.on('data', () => execFile('ss', ['-Hti'], (_error, text) => say(JSON.stringify(Array.from(text.matchAll(/\brtt:([\d.]+)/g), ([, rtt]) => Number(rtt))))));
}

/** @param {string} host @param {number} port */
function tcpResetter(host, port) {
  const socket = net.connect(port, host, () => {
    socket.resetAndDestroy();
    say('reset');
  });
}

/** @param {number} port */
function tcpWitness(port) {
  const server = net.createServer((socket) => {
    socket.on('error', (error) => say(String(Reflect.get(error, 'code'))));
    socket.on('end', () => say('end'));
    socket.resume();
    server.close();
  });
  server.listen(port, () => say('ready'));
}

/** @param {number} tcp @param {number} udp */
function keeper(tcp, udp) {
  /** @type {net.Socket[]} */
  const kept = [];
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    say(String(kept.push(socket)));
  });
  process.stdin.on('data', (line) => kept[Number(String(line)) - 1]?.end());
  dgram.createSocket('udp4').bind(udp, () => server.listen(tcp, '0.0.0.0', 5, () => say('ready')));
}

const [first = '', second = '', ...rest] = args;
if (role === 'udp-echo') udpEcho(Number(first));
else if (role === 'udp-client') udpClient(first, Number(second), rest.map(Number));
else if (role === 'tcp-echo') tcpEcho(Number(first));
else if (role === 'tcp-clients') await tcpClients(first, Number(second), Number(rest[0]));
else if (role === 'tcp-resetter') tcpResetter(first, Number(second));
else if (role === 'tcp-witness') tcpWitness(Number(first));
else if (role === 'tcp-source') tcpSource(first, Number(second), Number(rest[0]));
else if (role === 'tcp-sink') tcpSink(Number(first), Number(second), Number(rest[0]));
else if (role === 'tcp-rtts') tcpRtts();
else if (role === 'http') http.createServer((_request, answer) => answer.end('x'.repeat(1_000_000))).listen(Number(first), () => say('ready'));
else if (role === 'keeper') keeper(Number(first), Number(second));
else throw new Error(`no such role: ${role}`);
