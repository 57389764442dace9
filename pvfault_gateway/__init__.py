"""What puts readings into Kafka: the broker of a laptop, topics, the Avro producer, replay of files, simulation.

Not here: what a reading is (`pvfault.readings`), reading files (`pvfault.reading_files`), who takes readings out of
Kafka (`spark_jobs`), the commands' arguments and messages (`pvfault_cli`).
"""
