#!/bin/bash
# Java: main waits for CompletableFutures fed by a process's output; the "process reaper" sits in waitid, a reader in read().
# Looks like: JVM fully parked, reader blocked on a pipe of a child that only waits for its own grandchild.
# Ended by: the grandchild `sleep 6`.
set -eu
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
cat >"$T/P.java" <<'J'
import java.util.concurrent.*;
public class P { public static void main(String[] a) throws Exception {
  var p = new ProcessBuilder("sh", "-c", "(sleep 6; true); echo done").start();
  var f = CompletableFuture.supplyAsync(() -> { try { return new String(p.getInputStream().readAllBytes()).trim(); } catch (Exception e) { return "?"; } });
  var g = f.thenCombine(p.onExit(), (s, q) -> s + q.exitValue());
  System.exit(g.get().equals("done0") ? 0 : 1); } }
J
java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Djava.io.tmpdir="$T" "$T/P.java"
