-- Every request is the tap of another diner: a claim with a tap nobody has used. Argument: the table's code.
local dir = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
dofile(dir .. "report.lua")

local code
local random = assert(io.open("/dev/urandom", "rb"))

function init(args)
  code = args[1]
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
end

function request()
  local tap = random:read(16):gsub(".", function(byte) return string.format("%02x", byte:byte()) end)
  return wrk.format(nil, nil, nil, "code=" .. code .. "&campaign=quiet-hours&tap=" .. tap)
end
