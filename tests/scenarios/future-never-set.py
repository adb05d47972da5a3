"""A program of asyncio waits for a future that nobody completes."""

import asyncio

from scene import role


async def main():
    await asyncio.get_running_loop().create_future()


role("waiter")
asyncio.run(main())
