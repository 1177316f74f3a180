"""Several actors, one call at a time: a deterministic scheduler at the granularity of store calls.

Actors are ordinary functions in threads of their own. Whoever is about to make a call hands the turn back,
and `rng` decides who goes on. The same seed gives the same run.
"""

import random
import threading
from collections.abc import Callable

Actor = Callable[[], None]


class _Player(threading.Thread):
    def __init__(self, actor: Actor, back: threading.Semaphore) -> None:
        super().__init__(daemon=True)
        self.actor = actor
        self.turn = threading.Semaphore(0)
        self.back = back
        self.failed: BaseException | None = None
        self.done = False

    def run(self) -> None:
        self.turn.acquire()
        try:
            self.actor()
        except BaseException as failure:
            self.failed = failure
        self.done = True
        self.back.release()

    def hand_back(self) -> None:
        self.back.release()
        self.turn.acquire()


class Stage:
    def __init__(self, rng: random.Random, between: Callable[[], None]) -> None:
        """`between` is called after every step, when no call is under way."""
        self.rng = rng
        self.between = between

    def step(self) -> bool:
        """Called before each call; False when it comes from no actor, so that nothing needs to be decided."""
        player = threading.current_thread()
        if not isinstance(player, _Player):
            return False
        player.hand_back()
        return True

    def play(self, actors: list[Actor]) -> None:
        """Until all have ended; then the first failure of any is raised."""
        back = threading.Semaphore(0)
        players = [_Player(actor, back) for actor in actors]
        for player in players:
            player.start()
        playing = list(players)
        while playing:
            player = self.rng.choice(playing)
            player.turn.release()
            back.acquire()
            self.between()
            if player.done:
                playing.remove(player)
                if player.failed:
                    raise player.failed
