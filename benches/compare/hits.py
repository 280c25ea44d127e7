"""Page views of many sites, as web analytics keep them, and 43 questions of their dashboards. Table, data and questions are our own.

Sites, visitors, addresses of pages and phrases follow Zipf's law; phrases, devices and referrers are mostly empty; rows come in the order of time.
"""

from pathlib import Path

import numpy

from bench import chosen, queries_of

QUERIES = (Path(__file__).parent / "hits_queries.sql").read_text()
DAYS, FIRST_DAY = 30, numpy.datetime64("2025-03-01T00:00:00")
LANGUAGES = ["en", "de", "es", "fr", "pt", "ja", "pl", "nl", "it", "sv"]
SYSTEMS = ["Windows", "Android", "iOS", "macOS", "Linux", "ChromeOS", ""]
BROWSERS = ["Chrome", "Safari", "Edge", "Firefox", "Samsung Internet", "Opera", "Vivaldi"]
SCREENS = [(1920, 1080), (390, 844), (1366, 768), (1536, 864), (360, 800), (2560, 1440), (412, 915), (1440, 900), (768, 1024), (0, 0)]
COLUMNS = """view_id bigint PRIMARY KEY, viewed_at timestamp NOT NULL, day date NOT NULL, site integer NOT NULL, visitor bigint NOT NULL,
    session bigint NOT NULL, address bigint NOT NULL, region integer NOT NULL, language text NOT NULL, url text NOT NULL, url_hash bigint NOT NULL,
    title text NOT NULL, referrer text NOT NULL, phrase text NOT NULL, engine smallint NOT NULL, campaign smallint NOT NULL, width smallint NOT NULL,
    height smallint NOT NULL, system text NOT NULL, browser text NOT NULL, browser_major smallint NOT NULL, device text NOT NULL,
    mobile smallint NOT NULL, reload smallint NOT NULL, bounced smallint NOT NULL, clicks smallint NOT NULL, seconds integer NOT NULL,
    load_ms integer NOT NULL, paint_ms integer NOT NULL, revenue numeric(8,2) NOT NULL"""


def run(bench):
    rows, file = bench.options.hits_rows, bench.folder / "page_views.csv"
    bench.report.step(f"making {rows:,} rows")
    write(file, rows)

    def load(system):
        system.run("DROP TABLE IF EXISTS page_views", f"CREATE TABLE page_views ({COLUMNS})")
        seconds = system.copy("page_views", [file], "csv")
        system.settle(["page_views"])
        return [rows / seconds, system.table_bytes(["page_views"]) / rows]

    def change(system):
        seconds = [
            system.run(f"UPDATE page_views SET seconds = seconds + 1, clicks = clicks + 1 WHERE {chosen('view_id', 10)}"),
            system.run(f"DELETE FROM page_views WHERE {chosen('view_id', 20, 11)}"),
        ]
        system.run("ANALYZE page_views")
        return seconds

    queries = queries_of(QUERIES)
    bench.measure([f"COPY of {rows:,} rows with a primary key (rows/s)", "on disk (bytes a row)"], load, once=True)
    bench.ask_all(f"{len(queries)} queries", queries)
    bench.measure(["update of a tenth of the rows (s)", "deletion of a twentieth (s)"], change, once=True)
    bench.ask_all(f"{len(queries)} queries after that", queries)


def write(file, rows):
    """The same file for the same number of rows."""
    chance = numpy.random.default_rng(20250301)

    def zipf(count, exponent=1.0):
        """Of each row a rank below `count`; the first ranks are most frequent."""
        weights = numpy.cumsum(numpy.arange(1, count + 1) ** -exponent)
        return numpy.searchsorted(weights, chance.random(rows) * weights[-1])

    def some(share, values, otherwise=0):
        return numpy.where(chance.random(rows) < share, values, otherwise)

    def picked(pool, ranks):
        return [pool[rank] for rank in ranks.tolist()]

    words = ["".join(chance.choice(list("bcdfghklmnprstvw")) + chance.choice(list("aeiou")) for _ in range(chance.integers(1, 4))) for _ in range(2000)]

    def sentence(low, high, between=" "):
        return between.join(words[int(at)] for at in chance.random(chance.integers(low, high)) ** 2 * len(words))

    sites, pages, phrases, visitors = 2000, max(100, rows // 5), max(50, rows // 20), max(100, rows // 6)
    hosts = [f"{'shop.' if site % 5 == 0 else 'www.'}{words[site]}{site}.{['com', 'org', 'de', 'net'][site % 4]}" for site in range(sites)]
    site_of = (sites * chance.random(pages) ** 3).astype(int)
    sections = ["news", "search", "product", "help", "blog", "checkout"]
    urls = [f"https://{hosts[site_of[page]]}/{sections[page * 7 % 6]}/{sentence(1, 6, '/')}{f'?id={page}' if page % 3 else ''}" for page in range(pages)]
    titles = [sentence(2, 9).capitalize() + (" sale" if page % 40 == 3 else "") for page in range(pages)]
    searches = [sentence(1, 5) for _ in range(phrases)]

    page, visitor = zipf(pages, 0.8), zipf(visitors, 0.6)
    searched = chance.random(rows) < 0.12
    screen, mobile = zipf(len(SCREENS), 0.8), some(0.4, 1)
    at = FIRST_DAY + numpy.sort((DAYS * 86400 * chance.random(rows)).astype(numpy.int64))
    load_ms = (chance.gamma(2, 400, rows)).astype(int) + 20
    columns = [
        numpy.arange(1, rows + 1), at.astype(str), at.astype("datetime64[D]").astype(str), site_of[page], visitor * 7919 + 10**12,
        (visitor * 7919 + 10**12) * 100 + zipf(9), visitor * 104729 % 2**32, visitor * 31 % 997 % 400, picked(LANGUAGES, zipf(len(LANGUAGES), 1.3)),
        picked(urls, page), (page + 1) * 2654435761 * 104729 % 2**62, picked(titles, page),
        picked(["", *urls], some(0.3, zipf(pages, 0.9) + 1)), picked(["", *searches], numpy.where(searched, zipf(phrases, 0.7) + 1, 0)),
        numpy.where(searched, zipf(12, 1.5) + 1, 0), some(0.01, zipf(60) + 1), *([sides[screen] for sides in numpy.array(SCREENS).T]),
        picked(SYSTEMS, zipf(len(SYSTEMS), 0.9)), picked(BROWSERS, zipf(len(BROWSERS), 1.2)), 140 - zipf(40, 1.1),
        picked(["", *(f"{words[model]} {model % 17}" for model in range(300))], numpy.where(mobile == 1, some(0.5, zipf(300) + 1), 0)), mobile,
        some(0.1, 1), some(0.35, 1), chance.poisson(1.5, rows), zipf(1800, 0.7), load_ms, (load_ms * 0.4).astype(int),
        [f"{cents // 100}.{cents % 100:02}" for cents in some(0.02, (chance.gamma(2, 3000, rows)).astype(int)).tolist()],
    ]
    texts = (column if isinstance(column, list) else column.tolist() for column in columns)
    with open(file, "w") as out:
        out.writelines(",".join(map(str, row)) + "\n" for row in zip(*texts))
