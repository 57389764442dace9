"""What puts readings into Kafka: the broker of a laptop, topics, the Avro producer, replay of files, simulation.

Who takes readings out of Kafka again is in `spark_jobs`.
"""
