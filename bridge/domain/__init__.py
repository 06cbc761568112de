"""
The rules of the bridge as plain values and functions: no I/O, no clock, no randomness.

Every record that crosses a topic is a frozen `msgspec.Struct` here, field for field the same as its Avro schema in
`schemas/`;
a union is told apart by the struct's tag, which is the Avro record's name.
"""
