#!/usr/bin/env node
// An HTTP client (this process) waits for the reply of a server in a child process that has read the request
// and is parked in epoll like any idle server.
// Looks like: external-wait / dead peer: both sides sit in epoll_wait, the request is read, no reply.
// Ended by: the server's setTimeout after 6 s.
const { fork } = require('child_process'); const http = require('http');
if (process.argv[2] === 'srv') {
  const s = http.createServer((q, r) => setTimeout(() => { r.end('ok'); s.close(); process.disconnect(); }, 6000));
  s.listen(0, '127.0.0.1', () => process.send(s.address().port));
} else {
  const k = fork(__filename, ['srv']);
  let good = false;
  k.on('message', port => http.get({ port, host: '127.0.0.1', agent: false }, r => { let d = ''; r.on('data', x => d += x); r.on('end', () => { good = d === 'ok'; }); }));
  k.on('exit', c => { process.exitCode = good && c === 0 ? 0 : 1; });
}
