-- ARGV: keys of dead letters.
local dead = {}
for _, key in ipairs(ARGV) do
  local it = read(KEYS[3], key)
  if it then dead[#dead + 1] = {key, num(it.version), num(it.attempts), it.value} end
end
return dead
