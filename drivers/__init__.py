"""Device drivers, one folder each: they are told what arrived and when, and answer; they touch no port."""
