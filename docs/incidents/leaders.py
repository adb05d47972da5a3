# Three workers: the first of them that finds no leader becomes it. More than one does, now and then.
import os, random, sys, time
leader = os.path.join(os.environ["TMPDIR"], "leader")
for n in range(3):
    if os.fork() == 0:
        time.sleep(random.uniform(0, 0.03))
        if not os.path.exists(leader):
            time.sleep(0.004)
            with open(leader, "a") as f:
                f.write("%d\n" % n)
        os._exit(0)
for n in range(3):
    os.wait()
sys.exit(0 if len(open(leader).read().split()) == 1 else 1)
