local fence, deadline = state()
if fence ~= ARGV[1] or tonumber(deadline) <= now() then return 0 end
release(fence)
return 1
