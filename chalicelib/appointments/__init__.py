"""When a car is handed over and when it comes back: agreed times, slots, departures, cars nobody can open.

Owns the table `<stage>-appointments`. Publishes AppointmentMoved, AppointmentConfirmed, AppointmentAtRisk,
AppointmentOverdue, AppointmentMissed, AppointmentCancelled, PartnerDeparted, CarArrived, CarLockedOut,
LockoutEnded, HandoverCompleted and ReturnCompleted; hears of contracts that they are paid, at risk, ready or
over, of keys that a new plan is needed, and of smart keys that they opened a car. Addresses stay in contracts
and are asked for.
"""
