#!/usr/bin/env python3
"""Events of an auction site as the published Nexmark generators make them, as one file of JSON lines.

The proportions, shapes, skews and sizes are those of nexmark/nexmark and Apache Beam with their
defaults: of 50 events one is a new person, three are new auctions, 46 are bids; half of the bids go
to one auction of each hundred, three quarters of them come from one bidder of each hundred people,
three quarters of the auctions are one seller's of each hundred; times ascend by 100 microseconds
(10,000 events a second). A line looks as it does in the topic that nexmark/nexmark reads.

The same arguments give the same bytes: only random() of a seeded generator is used, whose sequence
Python guarantees.

  generator.py FILE [--events N] [--rate EVENTS_PER_SECOND]
"""
import argparse
import datetime
import random
from pathlib import Path

PERSONS, AUCTIONS, BIDS = 1, 3, 46
TOTAL = PERSONS + AUCTIONS + BIDS
FIRST_PERSON = FIRST_AUCTION = 1000
FIRST_CATEGORY, CATEGORIES = 10, 5
HOT_GROUP = 100  # of so many sellers, bidders or auctions in a row one is hot
HOT_SELLERS, HOT_AUCTIONS, HOT_BIDDERS = 4, 2, 4  # 1 - 1/n of all go to the hot one
ACTIVE_PEOPLE, IN_FLIGHT_AUCTIONS, LEAD = 1000, 100, 10
PERSON_BYTES, AUCTION_BYTES, BID_BYTES = 200, 500, 100
STATES = "AZ CA ID OR WA WY".split()
CITIES = "Phoenix,Los Angeles,San Francisco,Boise,Portland,Bend,Redmond,Seattle,Kent,Cheyenne".split(",")
FIRST_NAMES = "Peter Paul Luke John Saul Vicky Kate Julie Sarah Deiter Walter".split()
LAST_NAMES = "Shultz Abrams Spencer White Bartels Walton Smith Jones Noris".split()
HOT_CHANNELS = "Google Facebook Baidu Apple".split()
CHANNELS = 10_000
BASE_TIME_MS = 1_767_225_600_000  # 2026-01-01 00:00:00 UTC


def last_person(event):
    """The newest person (from 0) when event number `event` happens."""
    epoch, offset = divmod(event, TOTAL)
    return epoch * PERSONS + min(offset, PERSONS - 1)


def last_auction(event):
    epoch, offset = divmod(event, TOTAL)
    if offset < PERSONS:
        return epoch * AUCTIONS - 1
    return epoch * AUCTIONS + min(offset - PERSONS, AUCTIONS - 1)


class Generator:
    def __init__(self, rate=10_000, seed=1):
        self.random = random.Random(seed).random
        self.rate = rate
        self.letters = "".join(chr(97 + self.below(26)) for _ in range(1 << 16))
        self.hot_urls = [self.url() for _ in HOT_CHANNELS]
        self.channels = []
        for i in range(CHANNELS):
            url = self.url()
            if self.below(10) > 0:
                url += f"&channel_id={int(f'{i:032b}'[::-1], 2)}"
            self.channels.append((f"channel-{i}", url))
        self.second, self.second_text = None, ""

    def below(self, n):
        return int(self.random() * n)

    def word(self, longest, special=" "):
        """Letters with one blank in thirteen, at least three before the blanks at the ends go."""
        return "".join(special if self.below(13) == 0 else chr(97 + self.below(26))
                       for _ in range(3 + self.below(longest - 3))).strip()

    def url(self):
        return f"https://www.nexmark.com/{self.word(5, '_')}/{self.word(5, '_')}/{self.word(5, '_')}/item.htm?query=1"

    def extra(self, size, average):
        """Fills an event of `size` bytes up to `average`, give or take a fifth."""
        missing = average - size
        if missing < 0:
            return ""
        delta = round(missing * 0.2)
        length = missing - delta + (self.below(2 * delta) if delta else 0)
        at = self.below(len(self.letters) - length)
        return self.letters[at:at + length]

    def price(self):
        return round(10 ** (self.random() * 6) * 100)

    def time_ms(self, event):
        return BASE_TIME_MS + event * 1000 // self.rate

    def time(self, ms):
        second, millis = divmod(ms, 1000)
        if second != self.second:
            self.second = second
            self.second_text = datetime.datetime.fromtimestamp(second, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        return f"{self.second_text}.{millis:03d}"

    def any_person(self, event):
        people = last_person(event) + 1
        active = min(people, ACTIVE_PEOPLE)
        return people - active + self.below(active + LEAD)

    def person(self, event):
        name = f"{FIRST_NAMES[self.below(len(FIRST_NAMES))]} {LAST_NAMES[self.below(len(LAST_NAMES))]}"
        email = f"{self.word(7)}@{self.word(5)}.com"
        card = " ".join(f"{self.below(10_000):04d}" for _ in range(4))
        city, state = CITIES[self.below(len(CITIES))], STATES[self.below(len(STATES))]
        extra = self.extra(8 + len(name) + len(email) + len(card) + len(city) + len(state), PERSON_BYTES)
        return (f'{{"event_type":0,"person":{{"id":{last_person(event) + FIRST_PERSON},"name":"{name}","emailAddress":"{email}",'
                f'"creditCard":"{card}","city":"{city}","state":"{state}","dateTime":"{self.time(self.time_ms(event))}",'
                f'"extra":"{extra}"}},"auction":null,"bid":null}}\n')

    def auction(self, event):
        if self.below(HOT_SELLERS) > 0:
            seller = last_person(event) // HOT_GROUP * HOT_GROUP
        else:
            seller = self.any_person(event)
        category = FIRST_CATEGORY + self.below(CATEGORIES)
        initial = self.price()
        now = self.time_ms(event)
        # Of average length: until so many further auctions as are in flight have begun.
        horizon = self.time_ms(event + IN_FLIGHT_AUCTIONS * TOTAL // AUCTIONS) - now
        expires = now + 1 + self.below(max(2 * horizon, 1))
        name, description = self.word(20), self.word(100)
        reserve = initial + self.price()
        extra = self.extra(48 + len(name) + len(description), AUCTION_BYTES)
        return (f'{{"event_type":1,"person":null,"auction":{{"id":{last_auction(event) + FIRST_AUCTION},"itemName":"{name}",'
                f'"description":"{description}","initialBid":{initial},"reserve":{reserve},"dateTime":"{self.time(now)}",'
                f'"expires":"{self.time(expires)}","seller":{seller + FIRST_PERSON},"category":{category},"extra":"{extra}"}},'
                '"bid":null}\n')

    def bid(self, event):
        if self.below(HOT_AUCTIONS) > 0:
            auction = last_auction(event) // HOT_GROUP * HOT_GROUP
        else:
            newest = last_auction(event)
            oldest = max(newest - IN_FLIGHT_AUCTIONS, 0)
            auction = oldest + self.below(newest - oldest + 1 + LEAD)
        if self.below(HOT_BIDDERS) > 0:
            bidder = last_person(event) // HOT_GROUP * HOT_GROUP + 1  # the second, so that no hot seller bids
        else:
            bidder = self.any_person(event)
        price = self.price()
        if self.below(2) > 0:
            hot = self.below(len(HOT_CHANNELS))
            channel, url = HOT_CHANNELS[hot], self.hot_urls[hot]
        else:
            channel, url = self.channels[self.below(CHANNELS)]
        extra = self.extra(32, BID_BYTES)
        return (f'{{"event_type":2,"person":null,"auction":null,"bid":{{"auction":{auction + FIRST_AUCTION},'
                f'"bidder":{bidder + FIRST_PERSON},"price":{price},"channel":"{channel}","url":"{url}",'
                f'"dateTime":"{self.time(self.time_ms(event))}","extra":"{extra}"}}}}\n')

    def lines(self, events):
        for event in range(events):
            offset = event % TOTAL
            if offset < PERSONS:
                yield self.person(event)
            elif offset < PERSONS + AUCTIONS:
                yield self.auction(event)
            else:
                yield self.bid(event)


def generate(path, events, rate=10_000):
    path = Path(path)
    if path.exists():
        return path
    part = path.with_suffix(".part")
    with open(part, "w", buffering=1 << 20) as out:
        out.writelines(Generator(rate).lines(events))
    part.rename(path)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=10_000)
    args = parser.parse_args()
    generate(args.file, args.events, args.rate)


if __name__ == "__main__":
    main()
