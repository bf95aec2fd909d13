-- ARGV: a new generation; how long a load may run, in microseconds; 1 to expire values, 0 to remove them.
local now, keep = now(), tonumber(ARGV[2])
if generation and ARGV[3] == '1' then
  generation = string.sub(generation, 1, 8) .. string.sub(ARGV[1], 9)
else
  generation = ARGV[1]
end
changed = math.max(changed or 0, now)
kept = math.max(kept or 0, now + keep)
put(KEYS[1], generation .. num(changed) .. ' ' .. num(kept), math.ceil((kept - now) / 1000))
return {generation, num(changed)}
