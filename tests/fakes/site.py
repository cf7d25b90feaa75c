"""A small site for tests: two zones, one hub, one of each kind of device."""

from hub.central.site.load import load
from hub.central.site.model import Site

DUTY = "+4700000012"
NEIGHBOUR = "+4700000022"
LEADER = "+4700000091"
TECHNICIAN = "+4700000092"

SITE = f"""
[site]
name = "test"
language = "nb"

[[phones]]
id = "nord-1-duty"
number = "{DUTY}"
[[phones]]
id = "nord-2-duty"
number = "{NEIGHBOUR}"
[[phones]]
id = "leader"
number = "{LEADER}"
[[phones]]
id = "technician"
number = "{TECHNICIAN}"

[[zones]]
id = "nord-1"
last_resort = "leader"
[[zones]]
id = "nord-2"
last_resort = "leader"

[[rota]]
zone = "nord-1"
role = "duty"
phone = "nord-1-duty"
days = "daily"
from = "00:00"
to = "24:00"
[[rota]]
zone = "nord-2"
role = "duty"
phone = "nord-2-duty"
days = "daily"
from = "00:00"
to = "24:00"
[[rota]]
zone = "nord-1"
role = "technician"
phone = "technician"
days = "daily"
from = "00:00"
to = "24:00"

[[plans]]
class = "care"
steps = [{{ roles = ["duty"], wait_s = 180 }}, {{ roles = ["nord-2:duty"], wait_s = 120 }}]
[[plans]]
class = "technical"
steps = [{{ roles = ["nord-1:technician"], wait_s = 900 }}]

[[residents]]
id = "r-1017"
zone = "nord-1"
[[residents]]
id = "r-1018"
zone = "nord-1"

[[hubs]]
id = "h-1"
zone = "nord-1"
links = [
  {{ id = "radio", kind = "serial", port = "/dev/serial/by-id/usb-stick", driver = "enocean" }},
  {{ id = "ble", kind = "ble" }},
]

[[devices]]
id = "pendant-1"
hub = "h-1"
link = "radio"
driver = "enocean"
address = "01020304"
profile = "F6-01-01"
resident = "r-1017"
room = "stue"
supervision_s = 3600
[[devices]]
id = "door-1"
hub = "h-1"
link = "radio"
driver = "enocean"
address = "01825DAB"
profile = "D5-00-01"
resident = "r-1018"
room = "gang"
night = "20:00-07:00"
supervision_s = 3600
[[devices]]
id = "dispenser-1"
hub = "h-1"
link = "ble"
driver = "dispenser"
address = "F0:11:22:33:44:05"
resident = "r-1017"
room = "kjokken"
supervision_s = 3600

[[doses]]
device = "dispenser-1"
at = "20:30"
window_min = 30
"""
_NAME = 'name = "test"\n'
# The same, with links in its alerts.
LINKED = SITE.replace(_NAME, _NAME + 'public_url = "https://hub.example"\nlinks = true\n')


def site() -> Site:
    return load(SITE)
