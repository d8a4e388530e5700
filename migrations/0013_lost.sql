-- When it was found that the blob of a part is missing or damaged: told once.
ALTER TABLE parts ADD COLUMN lost INTEGER;
