-- A hundred thousand rows in every table that grows with use, so that it matters how a statement finds its own.
SET session_replication_role = replica;
INSERT INTO transfers (number, id, created, expires, password, first_reminder, shredded)
    SELECT n, 't' || n, n, n, TRUE, CASE WHEN n % 3 = 0 THEN n END, CASE WHEN n % 2 = 0 THEN n END FROM generate_series(1, 100000) n;
INSERT INTO transfer_recipients (transfer, number, address, key_packet, key, locked_until, download_noticed, download_pending)
    SELECT n, 1, 'a' || n || '@example.org', '\x01', n, CASE WHEN n % 50 = 0 THEN n END, n, n % 50 = 0 FROM generate_series(1, 100000) n;
INSERT INTO parts (transfer, number, blob, size) SELECT n, 0, 'p' || n, n FROM generate_series(1, 100000) n;
INSERT INTO sessions (id, transfer, recipient, wrapped_key, used)
    SELECT int8send(n), n, 1, '\x01', n FROM generate_series(1, 100000) n;
INSERT INTO session_downloads (session, what, last, whole) SELECT int8send(n), '1', n, TRUE FROM generate_series(1, 100000) n;
INSERT INTO downloads (transfer, recipient, part, first, last) SELECT n, 1, 1, n, n FROM generate_series(1, 100000) n;
INSERT INTO delivery_reports (transfer, recipient, own, action, time, reason) SELECT n, 1, TRUE, 'failed', n, '' FROM generate_series(1, 100000) n;
INSERT INTO items (number, id, kind, transfer, recipient, blob, key, created, next_attempt, due, claimed, owner, problem)
    SELECT n, 'i' || n, 'notification', 't' || n, 1, 'b' || n, n, n, n, n, n % 20 = 0, CASE WHEN n % 20 = 0 THEN 'node' || n % 3 END, CASE WHEN n % 50 = 0 THEN 'frozen' END
    FROM generate_series(1, 100000) n;
INSERT INTO item_recipients (item, number, address) SELECT n, 1, 'a@example.org' FROM generate_series(1, 100000) n;
INSERT INTO threads (hash, created) SELECT int8send(n), n FROM generate_series(1, 100000) n;
INSERT INTO intents (blob, made) SELECT 'n' || n, n FROM generate_series(1, 100000) n;
INSERT INTO small_blobs (blob, written, content) SELECT 's' || n, n, 'x' FROM generate_series(1, 100000) n;
INSERT INTO doomed (blob) SELECT 'd' || n FROM generate_series(1, 100000) n;
INSERT INTO ended_keys (key) SELECT n FROM generate_series(1, 100000) n;
INSERT INTO limits (bucket, arrival) SELECT 'l' || n, n FROM generate_series(1, 100000) n;
INSERT INTO audit (time, action, object, result, actor, origin) SELECT n, 'open', 't' || n, 'ok', 'zegel', 'local' FROM generate_series(1, 100000) n;
INSERT INTO audit_chain (block, made, kind, newest, content, salts, gaps, reach, hash)
    SELECT n, n, CASE WHEN n % 1000 = 0 THEN 1 ELSE 0 END, n, '', '', '', n, '' FROM generate_series(1, 100000) n;
INSERT INTO drafts (number, transfer, recipient, browser, used) SELECT n, n, 1, int8send(n), n FROM generate_series(1, 100000) n;
INSERT INTO uploads (number, id, draft, facts) SELECT n, 'u' || n, n, '' FROM generate_series(1, 100000) n;
INSERT INTO pieces (upload, number, blob, size) SELECT n, 0, 'q' || n, n FROM generate_series(1, 100000) n;
INSERT INTO codes (transfer, recipient, browser, facts, hash, expires, since) SELECT n, 1, int8send(n), '', '', n, n FROM generate_series(1, 100000) n;
INSERT INTO code_mails (time, address, client) SELECT n, int8send(n), 'c' || n FROM generate_series(1, 100000) n;
INSERT INTO browsers (browser, facts, until) SELECT int8send(n), '', n FROM generate_series(1, 100000) n;
INSERT INTO replies (transfer, recipient, browser, time, summary) SELECT n, 1, int8send(n), n, '' FROM generate_series(1, 100000) n;
INSERT INTO journal_moved (item, journal) SELECT 'i' || n, 'j' || n FROM generate_series(1, 100000) n;
INSERT INTO tracking
        (tracking, item, recipient_number, time, kind, sender, sender_domain, recipient, recipient_domain, message_id, size,
         transfer, state, attempts, changed)
    SELECT 'm' || n, CASE WHEN n % 10 > 0 THEN 'm' || n END, 1, n, 'message', 's' || n, 'd' || n % 3000, 'r' || n, 'e' || n % 3000, 'i' || n, n,
        CASE WHEN n % 10 = 0 THEN 't' || n END, 'delivered', 1, n FROM generate_series(1, 100000) n;
INSERT INTO tracking
        (tracking, item, recipient_number, time, kind, sender, sender_domain, recipient, recipient_domain, size, state, attempts, changed)
    SELECT 'm' || n, 'n' || n, 1, n, 'notification', 's' || n, 'd' || n % 3000, 'r' || n, 'e' || n % 3000, n, 'delivered', 1, n
    FROM generate_series(10, 100000, 10) n;
ANALYZE;
