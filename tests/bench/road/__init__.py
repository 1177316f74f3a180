"""100,000 commands on a road where everything goes wrong: the real service and the real reference car,
virtual time, and a judge who knows what truly happened.

    python -m tests.bench.road [commands]

`hours`    virtual time and its processes
`lambdas`  runs of our code, and how they break
`air`      a broker, radio, and cars with wrong clocks
`world`    the service and what people do with it; `crowd`: those who do
`truths`   what must be true, whatever happened
`crashes`  a death at every boundary
`guards`   what happens without each guard
`travel`   all of it, counted
"""
