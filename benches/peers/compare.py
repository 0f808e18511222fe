"""Runs the peers in turn, several rounds, and prints medians and ratios. Started by run.sh."""

import os
import re
import statistics
import subprocess
import sys
import tempfile

CLIENTS = 8
# What is said of it, counterfoil's durability, how many times as fast as the service counterfoil is to be.
MODES = {
    "durable": ("durable, real syncs", "full", 15),
    "fixed": ("durable, a sync of 1 ms", "full", 15),
    "off": ("syncs off (counterfoil: Relaxed)", "relaxed", 20),
}


def text(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def service(python: str, socket: str, seconds: str) -> float:
    script = os.path.join(os.path.dirname(__file__), "python_service.py")
    url = f"postgresql+asyncpg://bench@/service?host={socket}"
    return float(text(python, script, "charge", url, str(CLIENTS), seconds))


def handwritten(pgbench: str, socket: str, seconds: str) -> float:
    script = os.path.join(os.path.dirname(__file__), "handwritten.sql")
    said = text(
        pgbench, "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", seconds, "-f", script,
        "-h", socket, "-U", "bench", "handwritten",
    )
    return float(re.search(r"tps = ([\d.]+) \(without", said)[1])


def counterfoil(program: str, folder: str, seconds: str, durability: str) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        return float(text(program, os.path.join(place, "peer.ledger"), str(CLIENTS), seconds, durability))


def main() -> None:
    mode, python, pgbench, socket, program, folder, rounds, seconds = sys.argv[1:]
    heading, durability, goal = MODES[mode]
    found: dict[str, list[float]] = {"counterfoil": [], "PostgreSQL by hand": [], "Python service": []}
    for _ in range(int(rounds)):
        found["counterfoil"].append(counterfoil(program, folder, seconds, durability))
        found["PostgreSQL by hand"].append(handwritten(pgbench, socket, str(max(1, round(float(seconds))))))
        found["Python service"].append(service(python, socket, seconds))
    print(f"| {CLIENTS} callers, {heading} | charges/s | counterfoil to it | goal |       |")
    print("|---|---:|---:|---:|---|")
    for name, rates in found.items():
        ratio = statistics.median(ours / theirs for ours, theirs in zip(found["counterfoil"], rates))
        wanted = f"≥ {goal}" if name == "Python service" else ""
        verdict = "" if not wanted else "ok" if ratio >= goal else "MISSED"
        print(f"| {name} | {statistics.median(rates):.0f} | {ratio:.2f} × | {wanted} | {verdict} |")
    print(flush=True)


main()
