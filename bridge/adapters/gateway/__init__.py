"""The supplier gateway over HTTP: what is asked (`wire`), how (`client`), and what an answer means (`errors`)."""
