#!/bin/bash
# Java: two threads in a true ABBA cycle over ReentrantLocks, lockInterruptibly() without time.
# Looks like: deadlock-cycle (even jstack says so).
# Ended by: a scheduler thread of the same program that interrupts one of the two after 6 s.
set -eu
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
cat >"$T/P.java" <<'J'
import java.util.concurrent.*; import java.util.concurrent.locks.*;
public class P { static volatile boolean broken;
  static Thread go(Lock x, Lock y, CyclicBarrier b) { var t = new Thread(() -> {
    x.lock(); try { b.await(); y.lockInterruptibly(); y.unlock(); } catch (InterruptedException e) { broken = true; } catch (BrokenBarrierException e) {} finally { x.unlock(); } }); t.start(); return t; }
  public static void main(String[] a) throws Exception {
    var l = new ReentrantLock(); var m = new ReentrantLock(); var b = new CyclicBarrier(2);
    var t = go(l, m, b); var u = go(m, l, b);
    var s = Executors.newSingleThreadScheduledExecutor(); s.schedule(t::interrupt, 6, TimeUnit.SECONDS);
    t.join(); u.join(); s.shutdownNow(); if (!broken) System.exit(1); } }
J
java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Djava.io.tmpdir="$T" "$T/P.java"
