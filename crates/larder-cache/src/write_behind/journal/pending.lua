-- ARGV: a key.
local held = read(KEYS[1], ARGV[1])
return held and held.value
