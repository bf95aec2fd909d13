local fence, deadline = state()
local left = fence and tonumber(deadline) - now() or 0
if left <= 0 then return {-1, 0} end
return {tonumber(fence), left}
