#!/bin/bash
# Java: a pool of two connections (ArrayBlockingQueue); eight workers take() without limit, the two holders are in Thread.sleep.
# Looks like: pool-exhausted, forty JVM threads parked.
# Ended by: the holders, who sleep 6 s (a futex/cond wait with a time) and give their connections back.
set -eu
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
cat >"$T/P.java" <<'J'
import java.util.concurrent.*;
public class P { public static void main(String[] a) throws Exception {
  var pool = new ArrayBlockingQueue<Integer>(2); var done = new CountDownLatch(10); var held = new CountDownLatch(2);
  for (int i = 0; i < 2; i++) pool.put(i);
  for (int i = 0; i < 2; i++) new Thread(() -> { try { int c = pool.take(); held.countDown(); Thread.sleep(6000); pool.put(c); done.countDown(); } catch (InterruptedException e) {} }).start();
  held.await();
  for (int i = 0; i < 8; i++) new Thread(() -> { try { int c = pool.take(); pool.put(c); done.countDown(); } catch (InterruptedException e) {} }).start();
  done.await(); } }
J
java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Djava.io.tmpdir="$T" "$T/P.java"
