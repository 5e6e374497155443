"""`fetch`: files that the application finds when it starts, all of them or none.

A source is a module here: what an author writes of it, and how it is rendered. `recipe` lists them,
`room` is where all of them put what they bring.
"""
