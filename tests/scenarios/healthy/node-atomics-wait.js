#!/usr/bin/env node
// A worker thread blocks in Atomics.wait() without timeout on a SharedArrayBuffer; the main loop is in epoll_wait.
// Looks like: lost wake-up on a private futex, the event loop idle.
// Ended by: a setTimeout of 6 s in the main thread, which stores and notifies.
const { Worker, isMainThread, workerData } = require('worker_threads');
if (isMainThread) {
  const sab = new SharedArrayBuffer(4), v = new Int32Array(sab);
  const w = new Worker(__filename, { workerData: sab });
  w.on('online', () => setTimeout(() => { Atomics.store(v, 0, 7); Atomics.notify(v, 0); }, 6000));
  w.on('exit', c => { process.exitCode = c; });
} else {
  const v = new Int32Array(workerData); Atomics.wait(v, 0, 0); process.exit(v[0] === 7 ? 0 : 1);
}
