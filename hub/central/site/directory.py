"""The site, ready for questions: everything by its id, the rota laid out, the version it was applied as."""

from drivers.registry import package
from hub.central.escalation.rota import Rota
from hub.central.site.model import Device, Dose, Hub, Language, Phone, Resident, Site, Zone


class Directory:
    """A site with its indexes.

    Args:
        site: What was read and checked.
        version: Its number in the store.
    """

    def __init__(self, site: Site, version: int) -> None:
        self.site = site
        self.version = version
        self.phones: dict[str, Phone] = {phone.id: phone for phone in site.phones}
        self.zones: dict[str, Zone] = {zone.id: zone for zone in site.zones}
        self.residents: dict[str, Resident] = {resident.id: resident for resident in site.residents}
        self.hubs: dict[str, Hub] = {hub.id: hub for hub in site.hubs}
        self.devices: dict[str, Device] = {device.id: device for device in site.devices}
        self.doses: dict[str, list[Dose]] = {}
        for dose in site.doses:
            self.doses.setdefault(dose.device, []).append(dose)
        self.numbers: dict[str, Phone] = {phone.number: phone for phone in site.phones}
        self.rota = Rota(site)

    def devices_of(self, hub_id: str) -> list[Device]:
        """Return the devices of a hub."""
        return [device for device in self.site.devices if device.hub == hub_id]

    def supervision_s(self, device: Device) -> int:
        """Return after how many seconds of silence a device is overdue."""
        if device.supervision_s is not None:
            return device.supervision_s
        return package(device.driver).MANIFEST.supervision_s

    def residents_of(self, hub_id: str) -> list[str]:
        """Return the residents who are heard through a hub, each once, in the file's order."""
        return list(dict.fromkeys(device.resident for device in self.devices_of(hub_id) if device.resident))

    def language_of(self, phone: Phone | None) -> Language:
        """Return the language in which a phone is told: its own, else the site's."""
        return (phone.language if phone else None) or self.site.site.language

    def zone_of(self, hub_id: str | None, resident_id: str | None) -> str:
        """Return the zone that answers for a resident or a hub; of the unknown, the site's first zone."""
        if resident_id in self.residents:
            return self.residents[resident_id].zone
        if hub_id in self.hubs:
            return self.hubs[hub_id].zone
        return self.site.zones[0].id
