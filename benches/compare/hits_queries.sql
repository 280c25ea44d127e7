SELECT count(*), min(viewed_at), max(viewed_at) FROM page_views;
SELECT count(*) FROM page_views WHERE campaign > 0;
SELECT sum(clicks), avg(load_ms), max(seconds), sum(revenue) FROM page_views;
SELECT count(DISTINCT visitor) FROM page_views;
SELECT count(DISTINCT phrase), count(DISTINCT session) FROM page_views WHERE phrase <> '';

SELECT day, count(*) AS views, count(DISTINCT visitor) AS visitors FROM page_views GROUP BY day ORDER BY day;
SELECT date_trunc('hour', viewed_at) AS hour, count(*) AS views, sum(clicks) AS clicks, avg(load_ms) AS load FROM page_views
WHERE day BETWEEN DATE '2025-03-10' AND DATE '2025-03-12' GROUP BY 1 ORDER BY 1;
SELECT date_trunc('minute', viewed_at) AS minute, count(*) AS views FROM page_views WHERE site < 20 AND day = DATE '2025-03-14' GROUP BY 1 ORDER BY 1 LIMIT 100;
SELECT extract(dow FROM viewed_at) AS weekday, extract(hour FROM viewed_at) AS hour, count(*) AS views FROM page_views GROUP BY 1, 2 ORDER BY 1, 2;
SELECT campaign, count(*) AS views, sum(revenue) AS revenue FROM page_views WHERE campaign <> 0 GROUP BY campaign ORDER BY revenue DESC, campaign LIMIT 20;

SELECT region, count(DISTINCT visitor) AS visitors FROM page_views GROUP BY region ORDER BY visitors DESC, region LIMIT 10;
SELECT region, language, count(*) AS views, avg(seconds) AS stay, sum(bounced) AS bounced, count(DISTINCT session) AS sessions FROM page_views
GROUP BY region, language ORDER BY sessions DESC, region, language LIMIT 15;
SELECT device, count(DISTINCT visitor) AS visitors FROM page_views WHERE device <> '' GROUP BY device ORDER BY visitors DESC, device LIMIT 10;
SELECT system, browser, device, count(*) AS views FROM page_views WHERE mobile = 1 GROUP BY system, browser, device ORDER BY views DESC, system, browser, device LIMIT 12;
SELECT browser, browser_major, count(*) AS views, max(load_ms) AS slowest FROM page_views GROUP BY browser, browser_major HAVING count(*) >= 10
ORDER BY browser, browser_major;

SELECT phrase, count(*) AS searches FROM page_views WHERE phrase <> '' GROUP BY phrase ORDER BY searches DESC, phrase LIMIT 10;
SELECT phrase, count(DISTINCT visitor) AS visitors FROM page_views WHERE phrase <> '' GROUP BY phrase ORDER BY visitors DESC, phrase LIMIT 10;
SELECT engine, phrase, count(*) AS searches, sum(clicks) AS clicks FROM page_views WHERE engine > 0 GROUP BY engine, phrase
ORDER BY searches DESC, engine, phrase LIMIT 10;
SELECT phrase, viewed_at FROM page_views WHERE phrase <> '' ORDER BY viewed_at, view_id LIMIT 10;
SELECT DISTINCT phrase FROM page_views WHERE phrase <> '' ORDER BY phrase LIMIT 25;

SELECT visitor, count(*) AS views FROM page_views GROUP BY visitor ORDER BY views DESC, visitor LIMIT 10;
SELECT visitor, phrase, count(*) AS views FROM page_views GROUP BY visitor, phrase ORDER BY views DESC, visitor, phrase LIMIT 10;
SELECT visitor, extract(hour FROM viewed_at) AS hour, url_hash, count(*) AS views FROM page_views GROUP BY 1, 2, 3 ORDER BY views DESC, 1, 2, 3 LIMIT 10;
SELECT view_id, viewed_at, url, seconds FROM page_views WHERE visitor = 1000000007919 ORDER BY view_id LIMIT 40;
SELECT count(*) FROM (SELECT visitor FROM page_views GROUP BY visitor HAVING count(DISTINCT day) >= 5) AS returning_visitors;

SELECT count(*) FROM page_views WHERE url LIKE '%/checkout/%';
SELECT phrase, min(url) AS page, count(*) AS views FROM page_views WHERE url LIKE 'https://shop.%' AND phrase <> '' GROUP BY phrase
ORDER BY views DESC, phrase LIMIT 10;
SELECT site, count(*) AS views, count(DISTINCT visitor) AS visitors, min(title) AS title FROM page_views
WHERE title LIKE '%sale' AND url NOT LIKE '%/help/%' GROUP BY site ORDER BY views DESC, site LIMIT 10;
SELECT * FROM page_views WHERE title LIKE '%sale%' ORDER BY viewed_at DESC, view_id DESC LIMIT 10;
SELECT split_part(referrer, '/', 3) AS host, count(*) AS views, avg(length(referrer)) AS length, min(referrer) AS example FROM page_views
WHERE referrer <> '' GROUP BY 1 HAVING count(*) >= 10 ORDER BY views DESC, host LIMIT 25;

SELECT site, avg(length(url)) AS length, count(*) AS views FROM page_views GROUP BY site HAVING count(*) >= 20 ORDER BY views DESC, site LIMIT 25;
SELECT count(*) FILTER (WHERE load_ms < 200), count(*) FILTER (WHERE load_ms < 400), count(*) FILTER (WHERE load_ms < 800),
       count(*) FILTER (WHERE load_ms < 1600), count(*) FILTER (WHERE load_ms < 3200), sum(load_ms), sum(paint_ms), sum(load_ms - paint_ms),
       max(load_ms - paint_ms), sum(seconds * clicks), sum(width + 1), sum(height + 1), sum(CAST(width AS integer) * height) FROM page_views;
SELECT url, count(*) AS views FROM page_views GROUP BY url ORDER BY views DESC, url LIMIT 10;
SELECT url, title, count(*) AS views, sum(reload) AS reloads FROM page_views GROUP BY url, title ORDER BY views DESC, url LIMIT 10;
SELECT session, address, count(*) AS views, sum(seconds) AS seconds, avg(width) AS width FROM page_views GROUP BY session, address
ORDER BY views DESC, session LIMIT 10;

SELECT url, count(*) AS views FROM page_views WHERE site = 3 AND day >= DATE '2025-03-01' AND day < DATE '2025-03-16' AND reload = 0 GROUP BY url
ORDER BY views DESC, url LIMIT 10;
SELECT title, count(*) AS views, count(DISTINCT visitor) AS visitors FROM page_views WHERE site = 3 AND bounced = 0 AND title <> '' GROUP BY title
ORDER BY views DESC, title LIMIT 10 OFFSET 5;
SELECT day, CASE WHEN engine > 0 THEN 'search' WHEN campaign > 0 THEN 'campaign' WHEN referrer <> '' THEN 'link' ELSE 'direct' END AS source,
       count(*) AS views, sum(revenue) AS revenue FROM page_views WHERE site BETWEEN 0 AND 9 GROUP BY 1, 2 ORDER BY 1, 2;
SELECT width, height, count(*) AS views FROM page_views WHERE site IN (1, 5, 8, 13, 21) AND day > DATE '2025-03-20' GROUP BY width, height
ORDER BY views DESC, width, height LIMIT 10;
SELECT url_hash, day, count(*) AS views FROM page_views WHERE site = 0 AND url_hash % 5 IN (1, 3) GROUP BY url_hash, day
ORDER BY views DESC, url_hash, day LIMIT 10 OFFSET 20;
SELECT language, sum(bounced) * 100.0 / count(*) AS bounce_rate, avg(clicks) AS clicks FROM page_views GROUP BY language ORDER BY language;
SELECT site, sum(revenue) AS revenue, count(*) FILTER (WHERE revenue > 0) AS orders FROM page_views GROUP BY site ORDER BY revenue DESC, site LIMIT 20;
SELECT site, url_hash, views FROM (
    SELECT site, url_hash, count(*) AS views, row_number() OVER (PARTITION BY site ORDER BY count(*) DESC, url_hash) AS place
    FROM page_views WHERE site < 50 GROUP BY site, url_hash) AS places
WHERE place <= 3 ORDER BY site, place;
