"""The site file: zones, phones, rota, plans, residents, hubs, devices and doses of one municipality."""
