// What the tests of the Node client run: each function is a program of its own, named on the command line.

import assert from 'node:assert';
import fs from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { Worker, isMainThread } from 'node:worker_threads';

import { begin, phase } from '../hangdog.js';

const programs = {
  async nested() {
    const value = await phase('outer', { 'hang.op': 'build', n: 1 }, async () => {
      const inner = await phase('inner', { 'hang.wait': 'lock:cache' }, async (inner) => {
        inner.note({ 'hang.link': 'a>b', n: 2 });
        await setImmediate();
        return 7;
      });
      assert.equal(phase('plain', () => 8), 8);
      return inner;
    });
    assert.equal(value, 7);
    const hold = begin('by hand');
    hold.run(() => phase('within', () => 9));
    hold.end('cancelled');
    hold.end();
    phase('plain, outermost', () => phase('inside', () => 1));
    await phase('gives a promise', () => setImmediate(10));
  },

  async outcomes() {
    const abort = Object.assign(new Error('stop'), { name: 'AbortError' });
    await assert.rejects(phase('failed', async () => Promise.reject(new Error('bad'))), /bad/);
    await assert.rejects(phase('cancelled', async () => Promise.reject(abort)), /stop/);
    assert.throws(() => phase('failed at once', () => { throw new TypeError('bad'); }), /bad/);
    const thenable = { then: (resolve) => resolve(5) };
    assert.equal(await phase('thenable', () => thenable), 5);
  },

  async unhandled() {
    process.once('unhandledRejection', (error) => console.log('unhandled', error.message));
    phase('nobody looks', async () => Promise.reject(new Error('bad')));
    await setTimeout(1);
  },

  async tasks() {
    await phase('main', async () => {
      await Promise.all(['one', 'other'].map((name) => phase(name, async () => {
        await setImmediate();
        await phase(`inside ${name}`, async () => setImmediate());
      })));
      await phase('after', async () => setImmediate());
    });
  },

  async thousand() {
    let arrived = 0;
    await phase('main', async () => {
      let open;
      const gate = new Promise((resolve) => { open = resolve; });
      await Promise.all(Array.from({ length: 1000 }, (_, number) => phase('wait', { number }, async () => {
        if (++arrived === 1000) open();
        await gate;
      })));
    });
  },

  async threads() {
    await phase('main', async () => {
      const worker = new Worker(new URL(import.meta.url), { argv: ['in_a_worker'] });
      await new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject));
    });
  },

  in_a_worker() {
    assert(!isMainThread);
    phase('in a worker', () => 1);
  },

  huge() {
    phase('x'.repeat(1e6), { 'hang.wait': `path:/${'y'.repeat(1e6)}`, note: 'z'.repeat(1e6) }, () => {
      phase('letters', { quoted: '"\\\n\t\0', cut: 'ä'.repeat(5000), lone: '\udcff', ['k'.repeat(5000)]: 'v' }, () => {
        const many = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`field ${n}`, 'v'.repeat(100)]));
        phase('many', { 'hang.op': 'kept', ...many }, () => 1);
      });
    });
    const bad = { toString() { throw new Error('no text'); } };
    phase('bad', { value: bad }, () => phase('good', { value: null }, () => 1));
  },

  closes_descriptors() {
    phase('before', () => 1);
    const own = process.env.HANGDOG_PHASES;
    for (const fd of fs.readdirSync('/proc/self/fd').map(Number)) {
      let target = '';
      try { target = fs.readlinkSync(`/proc/self/fd/${fd}`); } catch {}
      if (own && target === own) fs.closeSync(fd);
    }
    const files = Array.from({ length: 20 }, (_, n) => fs.openSync(`own-${n}`, 'w+'));
    phase('after', () => 1);
    assert(files.every((fd) => fs.fstatSync(fd).size === 0));
  },

  // Two chains of calls wait for each other's locks.
  async hang_of_tasks() {
    const lock = () => {
      let last = Promise.resolve();
      return () => {
        const before = last;
        let free;
        last = new Promise((resolve) => { free = resolve; });
        return before.then(() => free);
      };
    };
    const [orders, stock] = [lock(), lock()];
    const book = async (first, held, second, wanted) => {
      const free = await first();
      await phase('book', { 'hang.hold': held }, async () => {
        await setImmediate();
        await phase('take the second lock', { 'hang.wait': wanted }, () => second());
      });
      free();
    };
    // Promises alone do not keep Node running.
    globalThis.setInterval(() => {}, 2 ** 31 - 1);
    await Promise.all([book(orders, 'lock:orders', stock, 'lock:stock'), book(stock, 'lock:stock', orders, 'lock:orders')]);
  },

  // A child that never ends, waited for by the thread itself.
  async hang() {
    const { spawnSync } = await import('node:child_process');
    phase('wait for the child', { 'hang.op': 'child' }, () => spawnSync('cat', ['queue']));
  },
};

await programs[process.argv[2]]();
if (isMainThread) console.log('done');
