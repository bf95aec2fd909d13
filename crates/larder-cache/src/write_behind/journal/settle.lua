-- ARGV: a key; until when it was taken; its version; 1 if it was written, 0 if that failed, 2 if it is left
-- for another release; the pause before the next attempt, in microseconds; after how many attempts it is
-- dead; how long the journal is kept, and how long a write is left, in microseconds.
local now = now()
local held = read(KEYS[1], ARGV[1])
-- A worker that was slower than its take may not settle the write: another one carries it out by now.
if not held or due(ARGV[1]) ~= tonumber(ARGV[2]) then return 0 end
local is_last = held.version == tonumber(ARGV[3])
local is_dead, next_due = false, now
if ARGV[4] == '0' then
  is_dead = is_last and held.attempts >= tonumber(ARGV[6])
  next_due = now + tonumber(ARGV[5])
  -- A worker that reads it has tried it.
  redis.call('ZREM', KEYS[7], ARGV[1])
elseif ARGV[4] == '2' and is_last then
  is_dead = left(ARGV[1], now) <= now - tonumber(ARGV[8])
  next_due = now + tonumber(ARGV[5])
  held.attempts = math.max(held.attempts - 1, 0)
  write(KEYS[1], ARGV[1], held)
end
if ARGV[4] == '1' and is_last then
  ends(ARGV[1], held)
elseif is_dead then
  dies(ARGV[1], held)
else
  redis.call('ZADD', KEYS[2], num(next_due), ARGV[1])
  if ARGV[4] == '1' then waits(ARGV[1], now) end
end
keep(tonumber(ARGV[7]))
return is_dead and 2 or 1
