"""A server that is far away: every round trip to it takes longer."""

import asyncio
import contextlib
import threading


class Delayed(contextlib.AbstractContextManager[str]):
    """An address of the server behind which every round trip takes longer."""

    def __init__(self, url: str, delay_s: float) -> None:
        self._url = url
        self._half = delay_s / 2
        self._port = int(url.rpartition(":")[2])
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> str:
        if not self._half:
            return self._url
        self._thread.start()
        future = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        )
        self._server = future.result()
        return f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        if self._half:
            asyncio.run_coroutine_threadsafe(self._cancel(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    async def _cancel(self) -> None:
        if self._server:
            self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", self._port)
        ways = (self._carry(reader, there[1]), self._carry(there[0], writer))
        with contextlib.suppress(asyncio.CancelledError):  # at the end; asyncio would log it
            await asyncio.gather(*ways, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries bytes, each half a round trip later; a stream, so that none waits for another."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                if not data:
                    writer.close()
                    return
                writer.write(data)

        task = self._loop.create_task(deliver())
        while True:
            data = await reader.read(65_536)
            queue.put_nowait((self._loop.time() + self._half, data))
            if not data:
                break
        await task
