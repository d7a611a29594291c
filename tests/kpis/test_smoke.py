from guitaronline import clock
from guitaronline.kpis import days, queries, rollup, operations
from guitaronline.kpis.days import Span
def test_smoke(world):
    from guitaronline.db import session
    world.package(price_minor=9000)
    world.booking()
    world.hold(world.slot(hours=60))
    s=session()
    now=clock.read(s)
    t=days.today(now)
    r=queries.read(s, Span(t-days.DAY*29,t), now)
    print(r)
    from jobs import kpis
    print(kpis.roll_up())
    s.rollback()
    print(queries.read(s, Span(t-days.DAY*400,t), now).values)
    print(operations.operations(s))
    print(queries.today_cards(s, now=now, money=True))
    assert 0
