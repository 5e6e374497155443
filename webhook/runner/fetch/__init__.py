"""What `initject fetch` does: bring files into a volume, all of them or none.

Belongs here: what is fetched, how it is proven, unpacked and put in place. Does not: images, object
stores, policies. Servers and archives are taken for hostile: everything that they say has a bound.
In doubt: does it end as a file in a volume? Then it is here.
"""
