"""What the tests of the Python client run: each function is a program of its own, named on the command line."""

import asyncio
import os
import sys
import threading

import hangdog


def nested():
    with hangdog.phase("outer", hang_op="build", n=1):
        with hangdog.phase("inner", hang_wait="lock:cache") as inner:
            inner.note(hang_link="a>b", n=2)
        decorated()
        assert list(generated()) == [1, 2]
    by_hand = hangdog.phase("by hand").begin()
    by_hand.end("cancelled")
    by_hand.end()


@hangdog.phase("decorated")
def decorated():
    with hangdog.phase("within"):
        pass


@hangdog.phase("generated")
def generated():
    yield 1
    yield 2


def outcomes():
    for error in (ValueError("bad"), KeyboardInterrupt(), SystemExit(0), SystemExit(3)):
        try:
            with hangdog.phase(repr(error)):
                raise error
        except BaseException as caught:
            assert caught is error


def tasks():
    @hangdog.phase("decorated")
    async def decorated():
        await asyncio.sleep(0)

    async def wait(name):
        with hangdog.phase(name):
            await asyncio.Event().wait()

    async def main():
        with hangdog.phase("main"):
            one = asyncio.ensure_future(wait("one"))
            other = asyncio.get_running_loop().create_task(wait("other"))
            other.set_name("the other")
            await asyncio.sleep(0)
            one.cancel()
            await asyncio.gather(one, return_exceptions=True)
            try:
                await asyncio.wait_for(other, 0.01)
            except asyncio.TimeoutError:
                pass
            await asyncio.get_running_loop().run_in_executor(None, in_pool)
            await decorated()

    def in_pool():
        with hangdog.phase("in a thread of the pool"):
            pass

    asyncio.run(main())


def thousand():
    async def wait(number, arrived, all_arrived):
        with hangdog.phase("wait", hang_wait="cond:all", number=number):
            arrived.append(number)
            if len(arrived) == 1000:
                all_arrived.set()
            await all_arrived.wait()

    async def main():
        arrived, all_arrived = [], asyncio.Event()
        with hangdog.phase("main"):
            await asyncio.gather(*(wait(number, arrived, all_arrived) for number in range(1000)))

    asyncio.run(main())


def fork():
    with hangdog.phase("before"):
        child = os.fork()
        with hangdog.phase("child" if child == 0 else "parent"):
            pass
    if child:
        os.waitpid(child, 0)


def threads():
    def work():
        with hangdog.phase("work"):
            with hangdog.phase("inner"):
                pass

    with hangdog.phase("main"):
        both = [threading.Thread(target=work) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()


def huge():
    with hangdog.phase("x" * 1_000_000, hang_wait="path:/" + "y" * 1_000_000, note="z" * 1_000_000):
        with hangdog.phase("letters", quoted='"\\\n\t\0', cut="ä" * 5000, lone="\udcff", **{"k" * 5000: "v"}):
            with hangdog.phase("many", hang_op="kept", **{f"field {n}": "v" * 100 for n in range(100)}):
                pass

    class Bad:
        def __str__(self):
            raise ValueError("no text")

    with hangdog.phase("bad", value=Bad()):
        with hangdog.phase("good", value=None):
            pass


def closes_descriptors():
    with hangdog.phase("before"):
        pass
    os.closerange(3, 256)
    files = [open("own-%d" % n, "w+") for n in range(20)]
    with hangdog.phase("after"):
        pass
    assert all(file.read() == "" for file in files)


def hang():
    """Two threads, two locks, the other way round."""
    orders, stock, both = threading.Lock(), threading.Lock(), threading.Barrier(2)

    def book(first, held, second, wanted):
        with first, hangdog.phase("book", hang_hold=held):
            both.wait()
            with hangdog.phase("take the second lock", hang_wait=wanted), second:
                pass

    threading.Thread(target=book, args=(orders, "lock:orders", stock, "lock:stock")).start()
    book(stock, "lock:stock", orders, "lock:orders")


def hang_of_tasks():
    """Two asyncio tasks wait for each other's locks."""

    async def book(first, held, second, wanted):
        async with first:
            with hangdog.phase("book", hang_hold=held):
                await asyncio.sleep(0)
                with hangdog.phase("take the second lock", hang_wait=wanted):
                    async with second:
                        pass

    async def main():
        orders, stock = asyncio.Lock(), asyncio.Lock()
        await asyncio.gather(
            book(orders, "lock:orders", stock, "lock:stock"), book(stock, "lock:stock", orders, "lock:orders")
        )

    asyncio.run(main())


globals()[sys.argv[1]]()
print("done")
