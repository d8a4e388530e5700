-- Why a recipient still waits, or was given up, in parts (src/diagnostic.rs): how far the delivery came, the server's reply
-- code (NULL: zegel found it), and the enhanced status code. `answer` keeps the text between them.
ALTER TABLE item_recipients ADD COLUMN stage TEXT;
ALTER TABLE item_recipients ADD COLUMN code INTEGER;
ALTER TABLE item_recipients ADD COLUMN status TEXT;

-- What was written as one line until now: '550 5.1.1 unknown (RCPT TO)', '4.4.2 no answer in time (greeting)'.
WITH stages (word) AS (
    VALUES ('connecting'), ('greeting'), ('EHLO'), ('STARTTLS'), ('AUTH'), ('MAIL FROM'), ('RCPT TO'), ('DATA'),
        ('message text'), ('end of message')
)
UPDATE item_recipients SET stage = word, answer = substr(answer, 1, length(answer) - length(word) - 3)
FROM stages WHERE answer LIKE '% (' || word || ')';
UPDATE item_recipients SET code = CAST(substr(answer, 1, 3) AS INTEGER), answer = substr(answer, 5)
WHERE answer GLOB '[1-9][0-9][0-9]' OR answer GLOB '[1-9][0-9][0-9] *';
UPDATE item_recipients SET status = substr(answer, 1, 5), answer = CASE WHEN code IS NULL THEN substr(answer, 7) ELSE answer END
WHERE answer GLOB '[245].[0-9].[0-9] *' OR answer GLOB '[245].[0-9].[0-9]';
UPDATE item_recipients SET status = substr(answer, 1, 6)
WHERE code IS NOT NULL AND (answer GLOB '[245].[0-9].[0-9][0-9] *' OR answer GLOB '[245].[0-9].[0-9][0-9]');
