-- ARGV: a key; until when it was taken; its version; 1 if it was written, 0 if that failed, 2 if it is left
-- for another release; the pause before the next attempt, in microseconds; after how many attempts it is
-- dead; how long the journal is kept, in microseconds.
local now = now()
local held = read(KEYS[1], ARGV[1])
-- A worker that was slower than its take may not settle the write: another one carries it out by now.
if not held or due(ARGV[1]) ~= tonumber(ARGV[2]) then return 0 end
local is_last = held.version == tonumber(ARGV[3])
local answer = 1
if ARGV[4] == '1' and is_last then
  ends(ARGV[1])
elseif ARGV[4] == '1' then
  redis.call('ZADD', KEYS[2], num(now), ARGV[1])
  waits(ARGV[1], now)
elseif ARGV[4] == '0' and is_last and held.attempts >= tonumber(ARGV[6]) then
  write(KEYS[3], ARGV[1], held)
  ends(ARGV[1])
  answer = 2
else
  if ARGV[4] == '2' and held.attempts > 0 then
    held.attempts = held.attempts - 1
    write(KEYS[1], ARGV[1], held)
  end
  redis.call('ZADD', KEYS[2], num(now + tonumber(ARGV[5])), ARGV[1])
end
keep(tonumber(ARGV[7]))
return answer
