-- KEYS[1]: the tag, a string: its generation in 16 bytes, then two numbers as text: when it was last
-- changed, and until when the record is kept. A string of another form counts as absent.
local held = redis.call('GET', KEYS[1])
local changed, kept = string.match(string.sub(held or '', 17), '^(%d+) (%d+)$')
local generation = changed and string.sub(held, 1, 16)
changed, kept = tonumber(changed), tonumber(kept)
-- So does one with a number past 2^53, which no script wrote.
if generation and math.max(changed, kept) > 9007199254740992 then generation, changed, kept = nil end
