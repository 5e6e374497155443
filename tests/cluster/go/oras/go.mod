module oras

go 1.26.7

require oras.land/oras v1.3.5
