-- ARGV: the generation of a new tag; how long a value may live, in microseconds.
local now, keep = now(), tonumber(ARGV[2])
if not generation then generation, changed = ARGV[1], 0 end
if not kept or kept - now < keep then
  kept = now + 2 * keep
  put(KEYS[1], generation .. num(changed) .. ' ' .. num(kept), math.ceil((kept - now) / 1000))
end
return {generation, num(changed)}
