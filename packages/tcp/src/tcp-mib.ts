/*
 * The counters of TCP: the Tcp group (RFC 4022) and Linux's TcpExt group, by the kernel's names.
 *
 * The constants index net.tcp.tcpMib.values and net.tcp.linuxMib.values; `nstat` shows them as
 * Tcp<Name> and TcpExt<Name>.
 * Order of calls: none, data alone; netns-tcp.ts counts.
 *
 * Always 0, as what they count is not here: TCPBacklogCoalesce (no segment arrives while a system call has the sock: softirqs wait for
 * its end; a backlog is used by who holds a sock longer), PFMemallocDrop (no reserve of memory), BusyPollRxPackets, TCPMigrateReq…
 * (no migration between listeners), TCPPLBRehash, TcpDuplicateDataRehash (of IPv6's flow labels).
 * Deviation: IPReversePathFilter is the IP layer's drop reason alone, TCPSpuriousRtxHostQueues is not looked for.
 */

/** Names of the Tcp group, in the order of TCP_MIB_*. */
export const tcpMibNames: readonly string[] = [
  'RtoAlgorithm',
  'RtoMin',
  'RtoMax',
  'MaxConn',
  'ActiveOpens',
  'PassiveOpens',
  'AttemptFails',
  'EstabResets',
  'CurrEstab',
  'InSegs',
  'OutSegs',
  'RetransSegs',
  'InErrs',
  'OutRsts',
  'InCsumErrors',
];

export const TCP_MIB_RTOALGORITHM = 0;
export const TCP_MIB_RTOMIN = 1;
export const TCP_MIB_RTOMAX = 2;
export const TCP_MIB_MAXCONN = 3;
export const TCP_MIB_ACTIVEOPENS = 4;
export const TCP_MIB_PASSIVEOPENS = 5;
export const TCP_MIB_ATTEMPTFAILS = 6;
export const TCP_MIB_ESTABRESETS = 7;
export const TCP_MIB_CURRESTAB = 8;
export const TCP_MIB_INSEGS = 9;
export const TCP_MIB_OUTSEGS = 10;
export const TCP_MIB_RETRANSSEGS = 11;
export const TCP_MIB_INERRS = 12;
export const TCP_MIB_OUTRSTS = 13;
export const TCP_MIB_CSUMERRORS = 14;

/** Names of the TcpExt group, in the order of LINUX_MIB_*. */
export const linuxMibNames: readonly string[] = [
  'SyncookiesSent',
  'SyncookiesRecv',
  'SyncookiesFailed',
  'EmbryonicRsts',
  'PruneCalled',
  'RcvPruned',
  'OfoPruned',
  'OutOfWindowIcmps',
  'LockDroppedIcmps',
  'TW',
  'TWRecycled',
  'TWKilled',
  'PAWSActive',
  'PAWSEstab',
  'BeyondWindow',
  'TSEcrRejected',
  'PAWSOldAck',
  'PAWSTimewait',
  'DelayedACKs',
  'DelayedACKLocked',
  'DelayedACKLost',
  'ListenOverflows',
  'ListenDrops',
  'TCPHPHits',
  'TCPPureAcks',
  'TCPHPAcks',
  'TCPRenoRecovery',
  'TCPSackRecovery',
  'TCPSACKReneging',
  'TCPSACKReorder',
  'TCPRenoReorder',
  'TCPTSReorder',
  'TCPFullUndo',
  'TCPPartialUndo',
  'TCPDSACKUndo',
  'TCPLossUndo',
  'TCPLostRetransmit',
  'TCPRenoFailures',
  'TCPSackFailures',
  'TCPLossFailures',
  'TCPFastRetrans',
  'TCPSlowStartRetrans',
  'TCPTimeouts',
  'TCPLossProbes',
  'TCPLossProbeRecovery',
  'TCPRenoRecoveryFail',
  'TCPSackRecoveryFail',
  'TCPRcvCollapsed',
  'TCPBacklogCoalesce',
  'TCPDSACKOldSent',
  'TCPDSACKOfoSent',
  'TCPDSACKRecv',
  'TCPDSACKOfoRecv',
  'TCPAbortOnData',
  'TCPAbortOnClose',
  'TCPAbortOnMemory',
  'TCPAbortOnTimeout',
  'TCPAbortOnLinger',
  'TCPAbortFailed',
  'TCPMemoryPressures',
  'TCPMemoryPressuresChrono',
  'TCPSACKDiscard',
  'TCPDSACKIgnoredOld',
  'TCPDSACKIgnoredNoUndo',
  'TCPSpuriousRTOs',
  'TCPMD5NotFound',
  'TCPMD5Unexpected',
  'TCPMD5Failure',
  'TCPSackShifted',
  'TCPSackMerged',
  'TCPSackShiftFallback',
  'TCPBacklogDrop',
  'PFMemallocDrop',
  'TCPMinTTLDrop',
  'TCPDeferAcceptDrop',
  'IPReversePathFilter',
  'TCPTimeWaitOverflow',
  'TCPReqQFullDoCookies',
  'TCPReqQFullDrop',
  'TCPRetransFail',
  'TCPRcvCoalesce',
  'TCPOFOQueue',
  'TCPOFODrop',
  'TCPOFOMerge',
  'TCPChallengeACK',
  'TCPSYNChallenge',
  'TCPFastOpenActive',
  'TCPFastOpenActiveFail',
  'TCPFastOpenPassive',
  'TCPFastOpenPassiveFail',
  'TCPFastOpenListenOverflow',
  'TCPFastOpenCookieReqd',
  'TCPFastOpenBlackhole',
  'TCPSpuriousRtxHostQueues',
  'BusyPollRxPackets',
  'TCPAutoCorking',
  'TCPFromZeroWindowAdv',
  'TCPToZeroWindowAdv',
  'TCPWantZeroWindowAdv',
  'TCPSynRetrans',
  'TCPOrigDataSent',
  'TCPHystartTrainDetect',
  'TCPHystartTrainCwnd',
  'TCPHystartDelayDetect',
  'TCPHystartDelayCwnd',
  'TCPACKSkippedSynRecv',
  'TCPACKSkippedPAWS',
  'TCPACKSkippedSeq',
  'TCPACKSkippedFinWait2',
  'TCPACKSkippedTimeWait',
  'TCPACKSkippedChallenge',
  'TCPWinProbe',
  'TCPKeepAlive',
  'TCPMTUPFail',
  'TCPMTUPSuccess',
  'TCPDelivered',
  'TCPDeliveredCE',
  'TCPAckCompressed',
  'TCPZeroWindowDrop',
  'TCPRcvQDrop',
  'TCPWqueueTooBig',
  'TCPFastOpenPassiveAltKey',
  'TcpTimeoutRehash',
  'TcpDuplicateDataRehash',
  'TCPDSACKRecvSegs',
  'TCPDSACKIgnoredDubious',
  'TCPMigrateReqSuccess',
  'TCPMigrateReqFailure',
  'TCPPLBRehash',
];

export const LINUX_MIB_SYNCOOKIESSENT = 0;
export const LINUX_MIB_SYNCOOKIESRECV = 1;
export const LINUX_MIB_SYNCOOKIESFAILED = 2;
export const LINUX_MIB_EMBRYONICRSTS = 3;
export const LINUX_MIB_PRUNECALLED = 4;
export const LINUX_MIB_RCVPRUNED = 5;
export const LINUX_MIB_OFOPRUNED = 6;
export const LINUX_MIB_OUTOFWINDOWICMPS = 7;
export const LINUX_MIB_LOCKDROPPEDICMPS = 8;
export const LINUX_MIB_TIMEWAITED = 9;
export const LINUX_MIB_TIMEWAITRECYCLED = 10;
export const LINUX_MIB_TIMEWAITKILLED = 11;
export const LINUX_MIB_PAWSACTIVEREJECTED = 12;
export const LINUX_MIB_PAWSESTABREJECTED = 13;
export const LINUX_MIB_BEYOND_WINDOW = 14;
export const LINUX_MIB_TSECRREJECTED = 15;
export const LINUX_MIB_PAWS_OLD_ACK = 16;
export const LINUX_MIB_PAWS_TW_REJECTED = 17;
export const LINUX_MIB_DELAYEDACKS = 18;
export const LINUX_MIB_DELAYEDACKLOCKED = 19;
export const LINUX_MIB_DELAYEDACKLOST = 20;
export const LINUX_MIB_LISTENOVERFLOWS = 21;
export const LINUX_MIB_LISTENDROPS = 22;
export const LINUX_MIB_TCPHPHITS = 23;
export const LINUX_MIB_TCPPUREACKS = 24;
export const LINUX_MIB_TCPHPACKS = 25;
export const LINUX_MIB_TCPRENORECOVERY = 26;
export const LINUX_MIB_TCPSACKRECOVERY = 27;
export const LINUX_MIB_TCPSACKRENEGING = 28;
export const LINUX_MIB_TCPSACKREORDER = 29;
export const LINUX_MIB_TCPRENOREORDER = 30;
export const LINUX_MIB_TCPTSREORDER = 31;
export const LINUX_MIB_TCPFULLUNDO = 32;
export const LINUX_MIB_TCPPARTIALUNDO = 33;
export const LINUX_MIB_TCPDSACKUNDO = 34;
export const LINUX_MIB_TCPLOSSUNDO = 35;
export const LINUX_MIB_TCPLOSTRETRANSMIT = 36;
export const LINUX_MIB_TCPRENOFAILURES = 37;
export const LINUX_MIB_TCPSACKFAILURES = 38;
export const LINUX_MIB_TCPLOSSFAILURES = 39;
export const LINUX_MIB_TCPFASTRETRANS = 40;
export const LINUX_MIB_TCPSLOWSTARTRETRANS = 41;
export const LINUX_MIB_TCPTIMEOUTS = 42;
export const LINUX_MIB_TCPLOSSPROBES = 43;
export const LINUX_MIB_TCPLOSSPROBERECOVERY = 44;
export const LINUX_MIB_TCPRENORECOVERYFAIL = 45;
export const LINUX_MIB_TCPSACKRECOVERYFAIL = 46;
export const LINUX_MIB_TCPRCVCOLLAPSED = 47;
export const LINUX_MIB_TCPBACKLOGCOALESCE = 48;
export const LINUX_MIB_TCPDSACKOLDSENT = 49;
export const LINUX_MIB_TCPDSACKOFOSENT = 50;
export const LINUX_MIB_TCPDSACKRECV = 51;
export const LINUX_MIB_TCPDSACKOFORECV = 52;
export const LINUX_MIB_TCPABORTONDATA = 53;
export const LINUX_MIB_TCPABORTONCLOSE = 54;
export const LINUX_MIB_TCPABORTONMEMORY = 55;
export const LINUX_MIB_TCPABORTONTIMEOUT = 56;
export const LINUX_MIB_TCPABORTONLINGER = 57;
export const LINUX_MIB_TCPABORTFAILED = 58;
export const LINUX_MIB_TCPMEMORYPRESSURES = 59;
export const LINUX_MIB_TCPMEMORYPRESSURESCHRONO = 60;
export const LINUX_MIB_TCPSACKDISCARD = 61;
export const LINUX_MIB_TCPDSACKIGNOREDOLD = 62;
export const LINUX_MIB_TCPDSACKIGNOREDNOUNDO = 63;
export const LINUX_MIB_TCPSPURIOUSRTOS = 64;
export const LINUX_MIB_TCPMD5NOTFOUND = 65;
export const LINUX_MIB_TCPMD5UNEXPECTED = 66;
export const LINUX_MIB_TCPMD5FAILURE = 67;
export const LINUX_MIB_SACKSHIFTED = 68;
export const LINUX_MIB_SACKMERGED = 69;
export const LINUX_MIB_SACKSHIFTFALLBACK = 70;
export const LINUX_MIB_TCPBACKLOGDROP = 71;
export const LINUX_MIB_PFMEMALLOCDROP = 72;
export const LINUX_MIB_TCPMINTTLDROP = 73;
export const LINUX_MIB_TCPDEFERACCEPTDROP = 74;
export const LINUX_MIB_IPRPFILTER = 75;
export const LINUX_MIB_TCPTIMEWAITOVERFLOW = 76;
export const LINUX_MIB_TCPREQQFULLDOCOOKIES = 77;
export const LINUX_MIB_TCPREQQFULLDROP = 78;
export const LINUX_MIB_TCPRETRANSFAIL = 79;
export const LINUX_MIB_TCPRCVCOALESCE = 80;
export const LINUX_MIB_TCPOFOQUEUE = 81;
export const LINUX_MIB_TCPOFODROP = 82;
export const LINUX_MIB_TCPOFOMERGE = 83;
export const LINUX_MIB_TCPCHALLENGEACK = 84;
export const LINUX_MIB_TCPSYNCHALLENGE = 85;
export const LINUX_MIB_TCPFASTOPENACTIVE = 86;
export const LINUX_MIB_TCPFASTOPENACTIVEFAIL = 87;
export const LINUX_MIB_TCPFASTOPENPASSIVE = 88;
export const LINUX_MIB_TCPFASTOPENPASSIVEFAIL = 89;
export const LINUX_MIB_TCPFASTOPENLISTENOVERFLOW = 90;
export const LINUX_MIB_TCPFASTOPENCOOKIEREQD = 91;
export const LINUX_MIB_TCPFASTOPENBLACKHOLE = 92;
export const LINUX_MIB_TCPSPURIOUS_RTX_HOSTQUEUES = 93;
export const LINUX_MIB_BUSYPOLLRXPACKETS = 94;
export const LINUX_MIB_TCPAUTOCORKING = 95;
export const LINUX_MIB_TCPFROMZEROWINDOWADV = 96;
export const LINUX_MIB_TCPTOZEROWINDOWADV = 97;
export const LINUX_MIB_TCPWANTZEROWINDOWADV = 98;
export const LINUX_MIB_TCPSYNRETRANS = 99;
export const LINUX_MIB_TCPORIGDATASENT = 100;
export const LINUX_MIB_TCPHYSTARTTRAINDETECT = 101;
export const LINUX_MIB_TCPHYSTARTTRAINCWND = 102;
export const LINUX_MIB_TCPHYSTARTDELAYDETECT = 103;
export const LINUX_MIB_TCPHYSTARTDELAYCWND = 104;
export const LINUX_MIB_TCPACKSKIPPEDSYNRECV = 105;
export const LINUX_MIB_TCPACKSKIPPEDPAWS = 106;
export const LINUX_MIB_TCPACKSKIPPEDSEQ = 107;
export const LINUX_MIB_TCPACKSKIPPEDFINWAIT2 = 108;
export const LINUX_MIB_TCPACKSKIPPEDTIMEWAIT = 109;
export const LINUX_MIB_TCPACKSKIPPEDCHALLENGE = 110;
export const LINUX_MIB_TCPWINPROBE = 111;
export const LINUX_MIB_TCPKEEPALIVE = 112;
export const LINUX_MIB_TCPMTUPFAIL = 113;
export const LINUX_MIB_TCPMTUPSUCCESS = 114;
export const LINUX_MIB_TCPDELIVERED = 115;
export const LINUX_MIB_TCPDELIVEREDCE = 116;
export const LINUX_MIB_TCPACKCOMPRESSED = 117;
export const LINUX_MIB_TCPZEROWINDOWDROP = 118;
export const LINUX_MIB_TCPRCVQDROP = 119;
export const LINUX_MIB_TCPWQUEUETOOBIG = 120;
export const LINUX_MIB_TCPFASTOPENPASSIVEALTKEY = 121;
export const LINUX_MIB_TCPTIMEOUTREHASH = 122;
export const LINUX_MIB_TCPDUPLICATEDATAREHASH = 123;
export const LINUX_MIB_TCPDSACKRECVSEGS = 124;
export const LINUX_MIB_TCPDSACKIGNOREDDUBIOUS = 125;
export const LINUX_MIB_TCPMIGRATEREQSUCCESS = 126;
export const LINUX_MIB_TCPMIGRATEREQFAILURE = 127;
export const LINUX_MIB_TCPPLBREHASH = 128;
