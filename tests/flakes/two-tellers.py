"""Two tellers of a bank, each a process with its own connection, book deposits to one account in SQLite.

Why it fails: a deposit reads the balance and writes the sum back as two statements, each its own transaction. When the other
teller writes between the two, its deposit is lost.

Truth: one teller writes the balance between the other's read and write, and that deposit is overwritten.
"""

import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time

DEPOSITS = 12


def connect(path):
    connection = sqlite3.connect(path, timeout=5, isolation_level=None)
    connection.execute("pragma synchronous = off")
    return connection


def teller(path):
    bank = connect(path)
    for _ in range(DEPOSITS):
        time.sleep(random.uniform(0.02, 0.1))  # the customer counts the notes
        (balance,) = bank.execute("select balance from account where id = 1").fetchone()
        bank.execute("update account set balance = ? where id = 1", (balance + 10,))
    return 0


def main():
    with tempfile.TemporaryDirectory(prefix="two-tellers-") as folder:
        path = os.path.join(folder, "bank.db")
        bank = connect(path)
        bank.execute("pragma journal_mode = wal")
        bank.execute("create table account (id integer primary key, balance integer)")
        bank.execute("insert into account values (1, 0)")
        tellers = [subprocess.Popen([sys.executable, __file__, path]) for _ in range(2)]
        if any([each.wait() for each in tellers]):
            return 2
        (balance,) = bank.execute("select balance from account where id = 1").fetchone()
        bank.close()
    if balance != 2 * DEPOSITS * 10:
        print(f"the balance is {balance}, and {2 * DEPOSITS * 10} were paid in", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(teller(sys.argv[1]) if sys.argv[1:] else main())
