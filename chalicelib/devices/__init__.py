"""The telematics units in our cars: who may become a car's voice, and whose certificate has had its time.

Owns the table `<stage>-devices`, whose log of each car is chained. Publishes CertificateEnded, and hears it
itself: a certificate is first ended in the table, and then at AWS IoT until that has worked.
"""
