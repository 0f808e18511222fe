"""The design of the Python service that counterfoil replaces, written anew from its rules to be measured.

SQLAlchemy's async ORM over asyncpg. One charge is what one request does: a session, a locked account row, the live batches
locked in order of expiry, points taken from them first to last, one line of history, one commit. Clients run at once in one
process, as behind one worker, each charging a user of its own, so that no client waits for another's row.

python_service.py setup URL CLIENTS, then python_service.py charge URL CLIENTS SECONDS: prints charges per second.
"""

import asyncio
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, String, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

BATCHES = 10
DAYS = 180


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "user_points"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    balance: Mapped[int] = mapped_column(BigInteger, default=0)
    total_recharged: Mapped[int] = mapped_column(BigInteger, default=0)
    total_consumed: Mapped[int] = mapped_column(BigInteger, default=0)
    total_expired: Mapped[int] = mapped_column(BigInteger, default=0)


class Batch(Base):
    __tablename__ = "point_batches"
    __table_args__ = (Index("point_batches_user_expiry", "user_id", "expired_at"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    user_id: Mapped[uuid.UUID]
    amount: Mapped[int] = mapped_column(BigInteger)
    remaining: Mapped[int] = mapped_column(BigInteger)
    source: Mapped[str] = mapped_column(String(32))
    expired_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Movement(Base):
    __tablename__ = "point_transactions"
    __table_args__ = (Index("point_transactions_user_created", "user_id", "created_at"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    user_id: Mapped[uuid.UUID]
    type: Mapped[str] = mapped_column(String(16))
    amount: Mapped[int] = mapped_column(BigInteger)
    balance_before: Mapped[int] = mapped_column(BigInteger)
    balance_after: Mapped[int] = mapped_column(BigInteger)
    source_type: Mapped[str] = mapped_column(String(32))
    source_id: Mapped[str | None] = mapped_column(String(64))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("point_batches.id"))
    duration: Mapped[float | None]
    description: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=lambda: datetime.now(UTC))


def user(client: int) -> uuid.UUID:
    return uuid.UUID(int=client + 1)


async def charge(session: AsyncSession, user_id: uuid.UUID, points: int, source: str, job: str) -> None:
    account = await session.scalar(select(Account).where(Account.user_id == user_id).with_for_update())
    if account is None:
        account = Account(user_id=user_id)
        session.add(account)
        await session.flush()
    live = select(Batch).where(
        Batch.user_id == user_id, Batch.remaining > 0, Batch.expired_at > datetime.now(UTC)
    )
    batches = (await session.scalars(live.order_by(Batch.expired_at).with_for_update())).all()
    uncovered = points
    for batch in batches:
        if uncovered == 0:
            break
        taken = min(batch.remaining, uncovered)
        batch.remaining -= taken
        uncovered -= taken
    # What no batch covers makes the balance negative: the work is done.
    before = account.balance
    account.balance = before - points
    account.total_consumed += points
    session.add(
        Movement(
            user_id=user_id,
            type="consume",
            amount=points,
            balance_before=before,
            balance_after=before - points,
            source_type=source,
            source_id=job,
            batch_id=batches[0].id if batches else None,
            duration=2.5,
            description="speech",
        )
    )


async def setup(url: str, clients: int) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session, session.begin():
        now = datetime.now(UTC)
        for client in range(clients):
            points = 1_000_000_000
            all_points = points * BATCHES
            session.add(Account(user_id=user(client), balance=all_points, total_recharged=all_points))
            session.add_all(
                Batch(
                    user_id=user(client),
                    amount=points,
                    remaining=points,
                    source="wxpay",
                    expired_at=now + timedelta(days=DAYS, minutes=batch),
                )
                for batch in range(BATCHES)
            )
    await engine.dispose()


async def measure(url: str, clients: int, seconds: float) -> float:
    engine = create_async_engine(url, pool_size=clients, max_overflow=0)
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def client(number: int, until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            async with sessions() as session, session.begin():
                await charge(session, user(number), 1, "tts", f"task {done}")
            done += 1
        return done

    # Connections and compiled statements are made before the clock runs.
    await asyncio.gather(*(client(number, time.perf_counter() + 0.5) for number in range(clients)))
    began = time.perf_counter()
    counts = await asyncio.gather(*(client(number, began + seconds) for number in range(clients)))
    rate = sum(counts) / (time.perf_counter() - began)
    await engine.dispose()
    return rate


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["setup", url, clients]:
            asyncio.run(setup(url, int(clients)))
        case ["charge", url, clients, seconds]:
            print(f"{asyncio.run(measure(url, int(clients), float(seconds))):.1f}")
        case _:
            sys.exit(__doc__)
