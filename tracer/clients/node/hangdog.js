/**
 * Says to hangdog what a Node program is doing, while it does it.
 *
 *     import { phase, begin } from 'hangdog';
 *
 *     const body = await phase('fetch', { 'hang.wait': 'http:127.0.0.1:8080' }, async () => get(url));
 *
 *     const hold = begin('hold the lock', { 'hang.hold': 'lock:deploy' }); … hold.end();
 *
 * Each begin and each end is one line, one write to the file that HANGDOG_PHASES names; without it nothing is done.
 * Nothing here throws into the program or waits for anybody; if the file cannot be written, there are no more phases.
 *
 * The phase around is kept by AsyncLocalStorage. Phases one inside the other are one async task and have its number;
 * one that begins beside another (Promise.all) is a task of its own. A phase whose function gives no promise is plain
 * work of the thread. Linux; Node 16 and later; worker threads included.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import fs from 'node:fs';
import { isMainThread, threadId } from 'node:worker_threads';

const LINE = 4096; // Longer lines of several writers could mix.
const [CUT, CUT_KEY] = [256, 1024]; // Longer values are cut. A resource that was cut is none, so it gets more room.
const ROOM = 16 << 20; // What hangdog has not read yet takes memory: with more than this, no phase begins.

/** @typedef {Record<string, string | number | boolean | bigint>} Fields the `hang.*` ones among them */
/** @typedef {'ok' | 'failed' | 'cancelled'} Outcome */

let path = process.env.HANGDOG_PHASES || null;
const outermost = process.env.HANGDOG_PHASE || null;
const isLate = Boolean(process.env.HANGDOG_LATE);
/** @type {AsyncLocalStorage<Phase>} */
const around = new AsyncLocalStorage();
let [fd, file, own] = [-1, '', null];
let [next, lost] = [0, 0];

/** A phase that is open. */
class Phase {
  #id = null;
  #outer;
  /** How many phases just inside of it are open. */
  #inner = 0;
  #task = '';
  #isTask = false;
  #name;

  constructor(name, fields, isTask) {
    this.#name = name;
    look('begin', name);
    const outer = around.getStore();
    say(() => {
      own ??= identity();
      const number = ++next;
      const id = own.prefix + number;
      this.#outer = outer?.#id ? outer : undefined;
      this.#task = this.#outer?.#inner === 0 ? outer.#task : String(threadId * 2 ** 32 + number);
      this.#isTask = isTask || Boolean(outer?.#isTask);
      const task = this.#isTask ? this.#task : undefined;
      const parent = this.#outer?.#id ?? outermost ?? undefined;
      const { pid, tid, start } = own;
      const line = { do: 'begin', id, name: cut(name), pid, tid, start, task, parent, t: now(), lost };
      if (write(line, fields)) this.#id = id;
      if (this.#id && this.#outer) this.#outer.#inner += 1;
    });
  }

  /**
   * Says what was not known when it began.
   * @param {Fields} fields
   */
  note(fields) {
    if (this.#id) say(() => write({ do: 'note', id: this.#id }, fields));
  }

  /**
   * Runs a function inside of it; phases that it begins, or that what it awaits begins, have this one around them.
   * @template T
   * @param {() => T} work
   * @returns {T}
   */
  run(work) {
    return around.run(this, work);
  }

  /**
   * Ends it. A second end is none.
   * @param {Outcome} [outcome]
   */
  end(outcome = 'ok') {
    const id = this.#id;
    this.#id = null;
    if (id && this.#outer) this.#outer.#inner -= 1;
    if (id) say(() => write({ do: 'end', id, pid: process.pid, t: now(), outcome }));
    if (id) look('end', this.#name);
  }

  /** Its function has given a promise: from now on it is an async task's. */
  becomesTask() {
    if (this.#isTask || !this.#id) return;
    this.#isTask = true;
    say(() => write({ do: 'note', id: this.#id, task: this.#task }));
  }
}

/** What `begin` gives where nobody listens. */
const off = { note() {}, end() {}, run: (work) => work() };

/**
 * Begins a phase that `end()` ends, at whatever event that may be.
 * @param {string} name
 * @param {Fields} [fields]
 * @returns {Pick<Phase, 'note' | 'run' | 'end'>}
 */
export function begin(name, fields = {}) {
  return path === null ? off : new Phase(name, fields, true);
}

/**
 * Runs a function as a phase, until it returns or throws, or until its promise is settled. The function gets the phase.
 * Of a promise of whatever kind it makes one of the language's own, with and without hangdog.
 * @template T
 * @param {string} name
 * @param {Fields | ((phase: Pick<Phase, 'note'>) => T)} fields
 * @param {(phase: Pick<Phase, 'note'>) => T} [work]
 * @returns {T}
 */
export function phase(name, fields, work) {
  if (typeof fields === 'function') [fields, work] = [{}, fields];
  const begun = path === null ? off : new Phase(name, fields, work.constructor.name === 'AsyncFunction');
  const fail = (error) => {
    begun.end(error?.name === 'AbortError' ? 'cancelled' : 'failed');
    throw error;
  };
  let result;
  try {
    result = begun.run(() => work(begun));
  } catch (error) {
    fail(error);
  }
  const succeed = (value) => {
    begun.end();
    return value;
  };
  if (typeof result?.then !== 'function') return succeed(result);
  if (begun === off) return Promise.resolve(result);
  begun.becomesTask();
  // Not a branch beside the program's promise: what nobody handles would be handled then.
  return Promise.resolve(result).then(succeed, fail);
}

const now = () => String(process.hrtime.bigint());

/** `hangdog flake` may hold the thread at this look; there is nothing to be found. */
function look(at, name) {
  if (isLate && path !== null) say(() => fs.existsSync(`/dev/null/hangdog/${at} ${cut(name, 100)}`));
}

/** Whatever fails here is not the program's; a file that cannot be written is not tried again. */
function say(change) {
  try {
    if (path !== null) change();
  } catch (error) {
    if (error?.syscall) path = null;
  }
}

function identity() {
  const start = fs.readFileSync('/proc/self/stat', 'latin1').replace(/^.*\) /s, '').split(' ')[19];
  const tid = isMainThread ? process.pid : Number(fs.readlinkSync('/proc/thread-self').replace(/.*\//, ''));
  return { pid: process.pid, tid, start, prefix: `${process.pid}-${start}-${threadId}-` };
}

function cut(value, length = CUT) {
  const text = String(value);
  // Half a pair of surrogates is no UTF-8.
  return (text.length <= length ? text : `${text.slice(0, length - 1)}…`).replace(/\p{Surrogate}/gu, '\ufffd');
}

function write(line, fields = {}) {
  const isHang = (key) => key.startsWith('hang.');
  const texts = Object.entries(fields).map(([key, value]) => [cut(key), cut(value, isHang(key) ? CUT_KEY : CUT)]);
  let bytes;
  for (const kept of [texts, texts.filter(([key]) => isHang(key)), []]) {
    bytes = Buffer.from(`${JSON.stringify({ ...line, fields: Object.fromEntries(kept) })}\n`);
    if (bytes.length <= LINE) break;
  }
  // Whoever closes all descriptors may have this number for a file of its own by now.
  let about = statOf(fd);
  if (!about || `${about.dev}:${about.ino}` !== file) {
    const { O_WRONLY, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    fd = fs.openSync(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK);
    about = statOf(fd);
    file = `${about?.dev}:${about?.ino}`;
  }
  if (line.do === 'begin') lost = about?.blocks * 512 > ROOM ? lost + 1 : 0;
  if (line.do === 'begin' && lost) return false;
  if (!about || fs.writeSync(fd, bytes) !== bytes.length) path = null;
  return true;
}

/** The file goes with the run; a daemon may stay. */
function statOf(descriptor) {
  try {
    const about = fs.fstatSync(descriptor);
    return about.isFile() && about.nlink > 0 ? about : undefined;
  } catch {
    return undefined;
  }
}
