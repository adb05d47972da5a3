# A gate by key, and what is right though it looks like a second time: a later event, a retry after a failure, another
# key, and a peer that holds the slot.
called("gate")
gate, busy = threading.Lock(), set()

def register(key, outcome="ok", delay=0.0):
    own = phase("ensure registered", op="register " + key)
    time.sleep(delay)
    with gate:
        free = key not in busy
        busy.add(key)
    if not free:
        own.end("cancelled")
        return
    act = phase("register", own, op="register " + key)
    time.sleep(0.02)
    with gate:
        busy.discard(key)
    act.end(outcome)
    own.end(outcome)

def at_once(*works):
    threads = [threading.Thread(target=register, args=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

register("ws-1")
register("ws-1")
register("ws-2", "error")
register("ws-2")
at_once(("ws-3",), ("ws-4",))
at_once(("ws-5",), ("ws-5", "ok", 0.004), ("ws-5", "ok", 0.008))
