-- Whose a transfer is (src/store/sqlite/transfers.rs). In ASCII all spellings of a mailbox are the same in lower case, but for needless
-- quotes; what is spelled otherwise is rare, and has an index of its own.
CREATE INDEX transfers_sender ON transfers (lower(sender));
CREATE INDEX transfers_odd ON transfers (number) WHERE sender GLOB '*[^!-~]*' OR instr(sender, '"');
CREATE INDEX transfers_authors ON transfers (number, reply_to, on_behalf_of) WHERE reply_to IS NOT NULL OR on_behalf_of IS NOT NULL;
CREATE INDEX transfer_recipients_address ON transfer_recipients (lower(address));
CREATE INDEX transfer_recipients_odd ON transfer_recipients (transfer) WHERE address GLOB '*[^!-~]*' OR instr(address, '"');
