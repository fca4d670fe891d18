"""What the tests of ``autolog`` import as the SageMaker SDK: its classes in small."""
