"""Does a telematics unit follow the device protocol (docs/asyncapi.yaml)? `make device-check THING=...`

It plays the service against a unit under test, over real MQTT, and names what the unit gets wrong.
"""
