"""The parts of ``truthound.async_core``, each at work.

    python examples/async/integration_examples.py

Everything happens on this machine: the HTTP server is the one beside this file, and
files are written into a temporary folder.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import local_server
from rich.console import Console

from truthound.async_core import (
    AsyncDirectoryWatcher,
    AsyncFileReader,
    AsyncFileWriter,
    AsyncHTTPClient,
    AsyncPipeline,
    AsyncRunner,
    AsyncStream,
    CircuitBreaker,
    ResourcePool,
    RetryPolicy,
    TaskPriority,
    async_background,
    async_batch,
    async_batch_requests,
    async_download,
    async_filter,
    async_map,
    async_timeout,
    async_upload,
    async_write_file,
)
from truthound.async_core.http import CircuitOpenError
from truthound.telemetry import span

console = Console()


def tell(text: str) -> None:
    console.print(f"  [green]✓[/green] {text}")


async def retries_and_a_breaker(url: str, folder: Path) -> None:
    """A request that succeeds at the third try, and a host that is given up."""
    retry = RetryPolicy(max_retries=5, backoff_factor=0.05)
    async with AsyncHTTPClient(retry_policy=retry, timeout=10.0) as client:
        response = await client.get(f"{url}/flaky")
        tell(f"{response.status_code} after two times 503: {response.text}")

    breaker = CircuitBreaker(failure_threshold=3, recovery_timeout=60.0)
    once = RetryPolicy(max_retries=0)
    async with AsyncHTTPClient(once, circuit_breaker=breaker) as client:
        for _ in range(3):
            await client.get(f"{url}/broken")
        try:
            await client.get(f"{url}/broken")
        except CircuitOpenError as error:
            tell(f"{error}: try again in {error.retry_after:.0f} s")


async def many_requests(url: str, folder: Path) -> None:
    """A batch in which one failure does not lose the others."""
    urls = [f"{url}/rows/{n}" for n in range(20)] + ["http://127.0.0.1:9/"]
    async with AsyncHTTPClient(RetryPolicy(max_retries=0)) as client:
        answers = await async_batch_requests(urls, max_concurrent=10, client=client)
    failed = [answer for answer in answers if isinstance(answer, Exception)]
    tell(f"{len(answers) - len(failed)} answers, and {len(failed)} failed: {failed[0]}")


async def download_and_upload(url: str, folder: Path) -> None:
    """A file that appears whole, and goes back."""
    path = await async_download(f"{url}/rows/7", folder / "rows.json")
    response = await async_upload(f"{url}/upload", path)
    tell(f"{path.name}: {path.read_text()}; uploaded, {response.text}")


async def files(url: str, folder: Path) -> None:
    """Written piece by piece, seen whole, read line by line."""
    path = folder / "lines.txt"
    async with AsyncFileWriter(path) as writer:
        await writer.writelines(f"line {n}: some data\n" for n in range(100))
        tell(f"while it is written, is it there? {path.exists()}")
    loud = [line.upper() async for line in AsyncFileReader(path).stream_lines()]
    tell(f"{len(loud)} lines read, the last one is {loud[-1]!r}")


async def watching(url: str, folder: Path) -> None:
    """A file that is reported as soon as it lands."""
    incoming = folder / "incoming"
    incoming.mkdir()
    watcher = AsyncDirectoryWatcher(incoming, patterns=["*.csv"])

    async def land() -> None:
        await asyncio.sleep(0.1)
        await async_write_file(incoming / "notes.txt", "nobody asked for this")
        await async_write_file(incoming / "orders.csv", "id\n1\n")

    landing = async_background(land())
    async with async_timeout(10):
        async for path in watcher.watch():
            tell(f"{path.name} was {path.change}")
            watcher.stop()
    await landing


async def streams(url: str, folder: Path) -> None:
    """Items that are worked on as they come."""
    stream = AsyncStream(range(1, 101)).map(lambda x: x * 2)
    batches = await stream.filter(lambda x: x % 10 == 0).batch(5).collect()
    tell(f"{len(batches)} batches, the first one is {batches[0]}")


async def pipelines(url: str, folder: Path) -> None:
    """Stages that are put together once and used often."""
    pipeline = AsyncPipeline()
    pipeline.add_stage(async_map(lambda x: x * 2))
    pipeline.add_stage(async_filter(lambda x: x > 50))
    pipeline.add_stage(async_batch(10))
    tell(f"{len(await pipeline.process(range(1, 101)))} batches of the numbers to 100")


async def priorities(url: str, folder: Path) -> None:
    """What is urgent goes first, whatever came before."""
    order: list[str] = []

    async def job(name: str) -> None:
        order.append(name)
        await asyncio.sleep(0.01)

    async with AsyncRunner(max_workers=1) as runner, asyncio.TaskGroup() as group:
        for level in reversed(TaskPriority):
            group.create_task(runner.submit(job(level.name), priority=level))
    tell(" before ".join(order))


async def limits(url: str, folder: Path) -> None:
    """A hundred jobs, never more than five at once."""
    running = most = 0

    async def job(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return number

    async with AsyncRunner(max_workers=5) as runner:
        results = await runner.gather(job(n) for n in range(100))
        total = await runner.map(job, range(100)).reduce(lambda a, b: a + b, 0)
    tell(f"{len(results)} results, at most {most} at once; their sum is {total}")


async def background(url: str, folder: Path) -> None:
    """Work that goes on beside other work."""

    async def monitor() -> str:
        await asyncio.sleep(0.05)
        return "monitoring is over"

    task = async_background(monitor())
    tell("something else is done meanwhile")
    tell(await task)


async def pool(url: str, folder: Path) -> None:
    """Connections that are made once and handed round."""
    made = closed = 0

    async def connect() -> int:
        nonlocal made
        await asyncio.sleep(0.01)
        made += 1
        return made

    def close(_: int) -> None:
        nonlocal closed
        closed += 1

    async with ResourcePool(3, factory=connect, cleanup=close) as connections:

        async def use(_: int) -> None:
            async with connections.acquire():
                await asyncio.sleep(0.005)

        async with AsyncRunner(max_workers=10) as runner:
            await runner.map(use, range(30)).count()
    tell(f"30 uses of {made} connections, of which {closed} were closed")


async def telemetry(url: str, folder: Path) -> None:
    """A span around some work; recorded once OpenTelemetry is set up."""
    with span("example.work", operation_type="async") as working:
        working.set_attribute("rows", 3)
    tell("a span was recorded, if anybody listens")


EXAMPLES: list[Callable[[str, Path], Awaitable[None]]] = [
    retries_and_a_breaker,
    many_requests,
    download_and_upload,
    files,
    watching,
    streams,
    pipelines,
    priorities,
    limits,
    background,
    pool,
    telemetry,
]


async def run_all(url: str) -> None:
    """Run the examples one after another."""
    with tempfile.TemporaryDirectory(prefix="truthound-examples-") as folder:
        for example in EXAMPLES:
            title = example.__name__.replace("_", " ")
            console.print(f"\n[bold]{title}[/bold]: {example.__doc__}")
            await example(url, Path(folder))


def main() -> None:
    """Start the server and run the examples."""
    with local_server.running() as url:
        asyncio.run(run_all(url))
    console.print("\n[bold green]All examples ran.[/bold green]")


if __name__ == "__main__":
    main()
