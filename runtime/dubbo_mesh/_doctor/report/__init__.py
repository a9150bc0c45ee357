"""What the doctor prints: findings as text and as JSON, explanations of problems, and progress."""
